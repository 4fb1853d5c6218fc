"""Jobs in progress when a bot is killed or stopped are finished by the next one."""

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.errors import Json
from sandbox.faults import Fault
from tests.e2e import reading
from tests.e2e.bot_harness import BotHarness, ConnectedUser, open_bot_harness
from tests.e2e.conftest import SETTINGS

pytestmark = [pytest.mark.e2e, pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]

DOWNLOAD = "GET /ephemeral-attachments/*"
FOREVER_S = 600.0
A_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivor:
    """A song that was in progress when its bot was killed."""

    guest: ConnectedUser
    answer: Json
    state: str | None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def home(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BotHarness]:
    async with open_bot_harness(tmp_path_factory.mktemp("restart"), SETTINGS) as harness:
        yield harness


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def survivors(home: BotHarness, song: Path) -> Mapping[str, Survivor]:
    """Songs in four stages, after the bot was killed and restarted."""
    in_hand = {
        "ready": await _held_up_in_delivery(home, song, Fault(route="", reset=True)),
        "unnoted": await _held_up_in_delivery(home, song, Fault(route="", reset=True, after=True)),
        "download": await _held_up_in_download(home, song),
    }
    async with home.idle_engine(song):
        in_hand["separation"] = await _in_separation(home, song)
        await home.kill()
    found = {
        stage: Survivor(guest=guest, answer=answer, state=home.records.state(answer))
        for stage, (guest, answer) in in_hand.items()
    }
    home.sandbox.faults.clear()
    await home.start()
    return found


async def _held_up_in_delivery(
    home: BotHarness, song: Path, fault: Fault
) -> tuple[ConnectedUser, Json]:
    guest = await home.guest()
    answer = await guest.split(song, stems="vocals")
    fault.route, fault.with_files = f"PATCH *{answer['message_id']}", True
    home.sandbox.faults.add(fault)
    await home.until(lambda: None in [edit["status"] for edit in home.edits_of(answer)])
    return guest, answer


async def _held_up_in_download(home: BotHarness, song: Path) -> tuple[ConnectedUser, Json]:
    guest = await home.guest()
    home.sandbox.faults.add(Fault(route=DOWNLOAD, delay_s=FOREVER_S, times=1))
    answer = await guest.split(song, stems="vocals")
    await guest.sees(answer, lambda card: "Getting your file" in reading.text(card))
    return guest, answer


async def _in_separation(home: BotHarness, song: Path) -> tuple[ConnectedUser, Json]:
    guest = await home.guest()
    answer = await guest.split(song, stems="vocals")
    await home.until_state(answer, "processing")
    return guest, answer


async def assert_finished_once(home: BotHarness, guest: ConnectedUser, answer: Json) -> None:
    reply = await guest.sees(answer)
    assert reply["id"] == answer["message_id"]
    assert reading.names(reply) == ["Neon Rain (Vocals).mp3"]
    await home.until_state(answer, "delivered")
    assert home.records.moves(answer) == ["hold", "post"]
    replies = [each for each in await guest.messages() if each["interaction"]]
    by_guest = [each["id"] for each in replies if each["interaction"]["user"]["id"] == guest.id]
    assert by_guest == [reply["id"]]


async def test_song_killed_in_its_download_is_finished(
    home: BotHarness, survivors: Mapping[str, Survivor]
) -> None:
    song = survivors["download"]
    assert song.state == "received"
    await assert_finished_once(home, song.guest, song.answer)


async def test_song_killed_in_its_separation_is_finished(
    home: BotHarness, survivors: Mapping[str, Survivor]
) -> None:
    song = survivors["separation"]
    assert song.state == "processing"
    await assert_finished_once(home, song.guest, song.answer)
    assert home.records.attempts(song.answer) == ["failed", "done"]


@pytest.mark.parametrize("stage", ["ready", "unnoted"])
async def test_song_killed_before_its_delivery_was_noted_is_not_separated_again(
    home: BotHarness, survivors: Mapping[str, Survivor], stage: str
) -> None:
    song = survivors[stage]
    assert song.state == "ready"
    await assert_finished_once(home, song.guest, song.answer)
    assert home.records.attempts(song.answer) == ["done"]
    assert home.records.story(song.answer).count("ready") == 1


async def test_song_whose_address_ended_while_the_bot_was_away_is_finished(
    home: BotHarness, song: Path
) -> None:
    guest, answer = await _held_up_in_download(home, song)
    await home.kill()
    home.sandbox.clock.advance(2 * A_DAY_S)
    await home.start()
    await assert_finished_once(home, guest, answer)


async def test_stop_with_a_song_in_hand_is_quick_clean_and_made_up_for(
    home: BotHarness, song: Path
) -> None:
    guest, answer = await _in_separation(home, song)
    started = time.monotonic()
    assert await home.stop() == 0
    assert time.monotonic() - started < 10
    await home.start()
    await assert_finished_once(home, guest, answer)
    assert await home.stop() == 0
    assert "Traceback" not in home.log.read_text()
