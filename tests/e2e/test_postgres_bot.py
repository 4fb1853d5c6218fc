"""The whole bot on a PostgreSQL database, and a second bot that takes over."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.bot_process import BotProcess
from storage.database.opening import PostgresUrl
from storage.upkeep.invariants import Terms, audit
from tests.e2e import reading
from tests.e2e.bot_harness import BotHarness, open_bot_harness
from tests.e2e.conftest import SETTINGS

pytestmark = [pytest.mark.e2e, pytest.mark.model]


@pytest.fixture
def url(postgres_server: Any) -> Iterator[str]:
    with postgres_server.blank() as address:
        yield address


@pytest.fixture
async def on_postgres(url: str, tmp_path: Path) -> AsyncIterator[BotHarness]:
    settings = {**SETTINGS, "STEMCORD_DATABASE_URL": url}
    async with open_bot_harness(tmp_path, settings) as opened:
        yield opened


async def test_a_song_is_delivered_and_a_standby_serves_the_next(
    on_postgres: BotHarness, url: str, song: Path, tmp_path: Path
):
    guest = await on_postgres.guest()
    _, reply = await guest.result(song)
    assert reading.stems(reply)
    terms = Terms(now=datetime.now(UTC), keep=timedelta(hours=24))
    findings = audit(PostgresUrl(url), on_postgres.data_dir / "jobs", terms)
    assert [str(each) for each in findings if not each.is_good] == []

    log = tmp_path / "standby.log"
    standby = BotProcess(
        on_postgres.sandbox,
        data_dir=tmp_path / "elsewhere",
        log=log,
        settings={**SETTINGS, "STEMCORD_DATABASE_URL": url},
    )
    async with standby:
        await on_postgres.until(lambda: log.exists() and "standing by" in log.read_text())
        assert "ready; resuming" not in log.read_text()
        await on_postgres.bot.kill()
        await on_postgres.until(lambda: "ready; resuming" in log.read_text())
        await on_postgres.until_ready()
        _, reply = await guest.result(song)
        assert reading.stems(reply)
