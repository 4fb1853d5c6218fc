"""A hundred commands within a second."""

import asyncio
import time
from pathlib import Path

import pytest

from sandbox.errors import Json
from tests.e2e import reading
from tests.e2e.bot_harness import ConnectedUser, open_bot_harness
from tests.e2e.conftest import SETTINGS

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.model,
    pytest.mark.slow,
    pytest.mark.timeout(400),
]

GUESTS, FILES_EACH = 10, 10
ACKNOWLEDGED_WITHIN_S = 3.0
DRAINED_WITHIN_S = 300.0


async def ask(guest: ConnectedUser, file: str, *, after_s: float) -> tuple[Json, float]:
    """Use `/split` after a delay, and return Discord's response and how long it took."""
    await asyncio.sleep(after_s)
    started = time.monotonic()
    answer = await guest.command("split", file={"upload": file}, stems="vocals")
    return answer, time.monotonic() - started


async def test_hundred_commands_in_a_second_are_answered_and_brought_to_their_end(
    tmp_path: Path, song: Path
) -> None:
    no_song = tmp_path / "note.mp3"
    no_song.write_text("not a song")
    async with open_bot_harness(
        tmp_path, SETTINGS | {"STEMCORD_MAX_ACTIVE_JOBS": "100"}
    ) as harness:
        guests = [await harness.guest() for _ in range(GUESTS)]
        files = [await guests[0].upload(no_song)] * (FILES_EACH - 1)
        files.append(await guests[0].upload(song))
        asked = [(guest, file) for file in files for guest in guests]
        answers = await asyncio.gather(
            *(ask(*each, after_s=n / len(asked)) for n, each in enumerate(asked))
        )
        assert max(took_s for _, took_s in answers) < ACKNOWLEDGED_WITHIN_S
        await harness.until(lambda: harness.records.unfinished() == 0, within_s=DRAINED_WITHIN_S)
        splits, refusals = GUESTS, GUESTS * (FILES_EACH - 1)
        assert harness.records.jobs_by_state() == {"delivered": splits, "failed": refusals}
        assert harness.records.moves_by_kind() == {"hold": splits, "post": splits}
        replies = [await guests[0].sees(answer) for answer, _ in answers]
        assert sum(len(reading.stems(reply)) for reply in replies) == splits
        assert sum(reading.NOTHING_CHARGED in reading.text(reply) for reply in replies) == refusals
