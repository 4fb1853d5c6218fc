"""The whole bot with its songs separated in worker processes, through a shared folder."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import reading
from tests.e2e.bot_harness import BotHarness, open_bot_harness
from tests.e2e.conftest import SETTINGS
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
    await guest.sees(answer, lambda message: "no worker is running" in reading.text(message))
    async with cluster.worker(settings={"WAIT_S": "0.5"}) as worker:
        reply = await guest.sees(answer)
        assert reading.stems(reply)
        assert "done" in worker.text
