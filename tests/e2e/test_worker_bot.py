"""The whole bot with its songs separated in worker processes, through a shared folder."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from storage.database.opening import PostgresUrl
from storage.upkeep.invariants import Terms, audit
from tests.e2e import reading
from tests.e2e.bot_harness import BotHarness, open_bot_harness
from tests.e2e.conftest import SETTINGS, model_file
from tests.support.worker_role_process import WorkerRoleProcess

pytestmark = [pytest.mark.e2e]


@dataclass
class Cluster:
    url: str
    store: str
    home: Path
    bot: BotHarness

    def worker(self, name: str = "worker", **options: Any) -> WorkerRoleProcess:
        return WorkerRoleProcess(
            url=self.url, store=self.store, home=self.home, name=name, **options
        )

    def moves(self) -> list[str]:
        """Return the kinds of all entries of the ledger."""
        with psycopg.connect(self.url) as conn:
            return [kind for (kind,) in conn.execute("SELECT kind FROM ledger ORDER BY id")]

    async def until_logged(self, text: str) -> None:
        """Wait until the bot has logged a text."""
        await self.bot.until(lambda: text in self.bot.log.read_text())

    def findings(self) -> list[str]:
        """Return the broken invariants."""
        terms = Terms(now=datetime.now(UTC), keep=timedelta(hours=24))
        found = audit(PostgresUrl(self.url), self.bot.data_dir / "jobs", terms)
        return [str(each) for each in found if not each.is_good]


@pytest.fixture
def url(postgres_server: Any) -> Iterator[str]:
    with postgres_server.blank() as address:
        yield address


@pytest.fixture
async def cluster(url: str, tmp_path: Path) -> AsyncIterator[Cluster]:
    (tmp_path / "store").mkdir()
    store = f"file://{tmp_path / 'store'}"
    settings = {
        **SETTINGS,
        "STEMCORD_DATABASE_URL": url,
        "STEMCORD_OBJECT_STORE": store,
        "STEMCORD_SEPARATE_ON": "workers",
        "STEMCORD_PROVIDERS": "workers,local",
        "STEMCORD_MODELS_DIR": str(tmp_path / "no models"),
    }
    async with open_bot_harness(tmp_path, settings) as bot:
        yield Cluster(url=url, store=store, home=tmp_path, bot=bot)


async def test_a_song_waits_for_a_worker_and_is_separated_there(cluster: Cluster, song: Path):
    guest = await cluster.bot.guest()
    answer = await guest.split(song)
    await guest.sees(answer, lambda message: "no worker can take" in reading.text(message))
    async with cluster.worker(settings={"WAIT_S": "0.5"}) as worker:
        reply = await guest.sees(answer)
        assert reading.stems(reply)
        assert "done" in worker.text


async def test_the_song_of_a_killed_worker_is_done_by_another_and_charged_once(
    cluster: Cluster, song: Path
):
    guest = await cluster.bot.guest()
    async with cluster.worker("one", settings={"WAIT_S": "60"}) as one:
        answer = await guest.split(song)
        await one.until_logged("start number")
        await guest.sees(answer, lambda message: "▱" in reading.text(message))
        await one.kill()
        async with cluster.worker("two"):
            reply = await guest.sees(answer)
    assert reading.stems(reply)
    assert cluster.moves() == ["hold", "post"]
    assert cluster.findings() == []


async def test_a_bot_that_is_killed_finds_the_song_that_a_worker_did_meanwhile(
    cluster: Cluster, song: Path
):
    guest = await cluster.bot.guest()
    async with cluster.worker(settings={"WAIT_S": "5"}) as worker:
        answer = await guest.split(song)
        await worker.until_logged("start number")
        await cluster.bot.kill()
        await worker.until_logged(": done")
        await cluster.bot.start()
        assert reading.stems(await guest.sees(answer))
        assert worker.text.count("start number") == 1
    assert cluster.findings() == []


async def test_stems_are_encoded_on_a_worker_that_takes_audio(cluster: Cluster, long_song: Path):
    guest = await cluster.bot.guest()
    settings = {"STEMCORD_WORKER_TASKS": "separate,audio"}
    async with cluster.worker(settings=settings) as worker:
        _, reply = await guest.result(long_song)
        assert reading.stems(reply)
        assert ": EncodeTask" in worker.text
    assert "EncodeTask was run by a worker" in cluster.bot.log.read_text()
    assert cluster.findings() == []


async def test_cancelling_stops_the_worker(cluster: Cluster, song: Path):
    guest = await cluster.bot.guest()
    async with cluster.worker(settings={"WAIT_S": "60"}) as worker:
        answer = await guest.split(song)
        await worker.until_logged("start number")
        card = await guest.sees(answer, lambda message: "▱" in reading.text(message))
        await guest.press(card, "Cancel")
        await guest.sees(answer)
        started = worker.text.count("start number")
        await guest.split(song, stems="vocals")
        await cluster.bot.until(lambda: worker.text.count("start number") > started, within_s=20)
    assert cluster.moves() == ["hold", "void", "hold"]
    assert cluster.findings() == []


@pytest.mark.model
async def test_the_real_engine_separates_in_a_worker(cluster: Cluster, song: Path):
    guest = await cluster.bot.guest()
    settings = {"STEMCORD_MODELS_DIR": str(model_file().parent)}
    async with cluster.worker(module=("bot", "worker"), settings=settings) as worker:
        _, reply = await guest.result(song)
        assert len(reading.stems(reply)) == 2
        worker.tell_to_stop()
        assert await worker.wait() == 0
    assert cluster.findings() == []


async def test_a_broken_worker_costs_one_song_and_the_next_one_waits_for_another_worker(
    cluster: Cluster, song: Path
):
    guest = await cluster.bot.guest()
    async with cluster.worker("broken", settings={"WAIT_FAILS": "99"}) as broken:
        lost = await guest.sees(await guest.split(song))
        assert reading.stems(lost) == []
        answer = await guest.split(song, stems="vocals")
        await guest.sees(answer, lambda message: "no worker can take" in reading.text(message))
        assert broken.text.count("start number") == 4
        async with cluster.worker("well"):
            assert reading.stems(await guest.sees(answer))
    assert cluster.moves() == ["hold", "void", "hold", "post"]
    assert cluster.findings() == []
