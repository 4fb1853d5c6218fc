"""The whole bot with an object store: a standby on another disk continues its songs."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.bot_process import BotProcess
from tests.e2e import reading
from tests.e2e.bot_harness import BotHarness, open_bot_harness
from tests.e2e.conftest import SETTINGS
from tests.support.object_stores import BUCKET, S3Service, s3_service, variables

pytestmark = [pytest.mark.e2e, pytest.mark.model]


@pytest.fixture
def settings(postgres_server: Any) -> Iterator[dict[str, str]]:
    with postgres_server.blank() as url, s3_service() as endpoint:
        yield {
            **SETTINGS,
            **variables(endpoint),
            "STEMCORD_DATABASE_URL": url,
            "STEMCORD_OBJECT_STORE": f"s3://{BUCKET}/stemcord",
        }


@pytest.fixture
async def harness(settings: dict[str, str], tmp_path: Path) -> AsyncIterator[BotHarness]:
    async with open_bot_harness(tmp_path, settings) as opened:
        yield opened


async def test_a_standby_without_its_files_delivers_a_song_that_was_at_work(
    harness: BotHarness, settings: dict[str, str], song: Path, tmp_path: Path
):
    guest = await harness.guest()
    log = tmp_path / "standby.log"
    standby = BotProcess(
        harness.sandbox, data_dir=tmp_path / "elsewhere", log=log, settings=settings
    )
    async with standby:
        await harness.until(lambda: log.exists() and "standing by" in log.read_text())
        async with harness.idle_engine(song):
            answer = await guest.split(song)
            await guest.sees(answer, lambda message: "eparating" in reading.text(message))
            await harness.bot.kill()
        reply = await guest.sees(answer)
        assert reading.stems(reply)
        assert "its song is restored" in log.read_text()
        assert "1 used" in await guest.quota()
        secret = settings["AWS_SECRET_ACCESS_KEY"]
        assert secret not in log.read_text() + harness.log.read_text()


async def test_a_song_waits_for_a_store_that_is_away_and_is_charged_afterwards(
    song: Path, tmp_path: Path
):
    service = S3Service()
    settings = {
        **SETTINGS,
        **variables(service.endpoint),
        "STEMCORD_OBJECT_STORE": f"s3://{BUCKET}/away",
    }
    async with open_bot_harness(tmp_path, settings) as harness:
        guest = await harness.guest()
        async with harness.idle_engine(song):
            answer = await guest.split(song)
            await guest.sees(answer, lambda message: "eparating" in reading.text(message))
            service.stop()
        await harness.until(lambda: "waits for the store" in harness.log.read_text())
        assert "3 min left" in await guest.quota()
        service.start_again()
        assert reading.stems(await guest.sees(answer))
        assert "1 used" in await guest.quota()
        told = [line for line in harness.log.read_text().splitlines() if "waits for" in line]
        assert len(told) <= 3
    service.stop()


async def test_a_bot_that_starts_without_its_store_answers_and_goes_on_when_it_is_there(
    song: Path, tmp_path: Path
):
    service = S3Service()
    service.stop()
    settings = {
        **SETTINGS,
        **variables(service.endpoint),
        "STEMCORD_OBJECT_STORE": f"s3://{BUCKET}/late",
    }
    async with open_bot_harness(tmp_path, settings) as harness:
        guest = await harness.guest()
        assert "3 min left" in await guest.quota()
        answer = await guest.split(song)
        await harness.until(lambda: "waits for the store" in harness.log.read_text())
        service.start_again()
        assert reading.stems(await guest.sees(answer))
    service.stop()
