"""A hundred commands within a second."""

import asyncio
import time
from pathlib import Path

import pytest

from sandbox.errors import Json
from tests.e2e import reading
from tests.e2e.conftest import SETTINGS
from tests.e2e.house import Guest, open_house

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.model,
    pytest.mark.slow,
    pytest.mark.timeout(400),
]

GUESTS, SONGS_EACH = 10, 10
DRAINED_WITHIN_S = 300.0


async def ask(guest: Guest, file: Json, *, after_s: float) -> tuple[Json, float]:
    """Use `/split` at its moment; return Discord's answer and how long it took."""
    await asyncio.sleep(after_s)
    started = time.monotonic()
    answer = await guest.command("split", file=file, stems="vocals")
    return answer, time.monotonic() - started


async def test_hundred_commands_in_a_second_are_answered_and_done(
    tmp_path: Path, song: Path
) -> None:
    settings = SETTINGS | {"STEMCORD_MAX_ACTIVE_JOBS": "100", "STEMCORD_QUOTA_MINUTES": "100"}
    async with open_house(tmp_path, settings) as house:
        guests = [await house.guest() for _ in range(GUESTS)]
        file = {"upload": await guests[0].upload(song)}
        total = GUESTS * SONGS_EACH
        asked = await asyncio.gather(
            *(ask(guests[n % GUESTS], file, after_s=n / total) for n in range(total))
        )
        assert max(took_s for _, took_s in asked) < 3
        assert house.records.jobs_by_state().keys() <= {"received", "held", "submitting"}
        await house.until(lambda: house.records.unfinished() == 0, within_s=DRAINED_WITHIN_S)
        assert house.records.jobs_by_state() == {"delivered": total}
        moves = house.records.moves_by_kind()
        assert moves["hold"] == moves["post"] == sum(moves.values()) / 2
        messages = {each["id"]: each for each in await guests[0].messages()}
        shown = [messages[answer["message_id"]] for answer, _ in asked]
        assert all(reading.names(message) == ["Neon Rain (Vocals).mp3"] for message in shown)
