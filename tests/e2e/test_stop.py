"""A stop that job steps ignore: it has one time budget, and the next start does the rest."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.errors import Json
from sandbox.faults import Fault
from tests.e2e.bot_harness import BotHarness, ConnectedUser, open_bot_harness
from tests.e2e.conftest import SETTINGS
from tests.support.worker_processes import worker_of

pytestmark = [pytest.mark.e2e, pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]

FOREVER_S = 600.0
GRACE_S = 6.0
"""The promised time plus a margin for a busy machine."""
STOPPED_WITHIN_S = 10.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def home(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BotHarness]:
    settings = {**SETTINGS, "STEMCORD_STOP_GRACE_S": f"{GRACE_S}"}
    async with open_bot_harness(tmp_path_factory.mktemp("stubborn"), settings) as harness:
        yield harness


async def in_endless_upload(home: BotHarness, song: Path) -> tuple[ConnectedUser, Json]:
    guest = await home.guest()
    answer = await guest.split(song, stems="vocals")
    route = f"PATCH *{answer['message_id']}"
    home.sandbox.faults.add(Fault(route=route, delay_s=FOREVER_S, with_files=True))
    await home.until_state(answer, "ready")
    return guest, answer


async def test_a_stop_is_short_though_an_upload_hangs_and_the_worker_heeds_nothing(
    home: BotHarness, song: Path
) -> None:
    uploading, upload = await in_endless_upload(home, song)
    guest = await home.guest()
    async with home.idle_engine(song):
        answer = await guest.split(song, stems="vocals")
        await home.until_state(answer, "processing")
        worker = worker_of(home.bot.pid)
        began = time.monotonic()
        status = await home.bot.stop()
        took_s = time.monotonic() - began
    assert (status, took_s < STOPPED_WITHIN_S) == (0, True)
    assert worker is not None
    assert not Path(f"/proc/{worker}").exists()
    home.sandbox.faults.clear()
    await home.start()
    for person, song_of in ((uploading, upload), (guest, answer)):
        await person.sees(song_of)
        await home.until_state(song_of, "delivered")
