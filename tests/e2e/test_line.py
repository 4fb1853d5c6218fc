"""The queue, where every user's first song comes before anyone's second."""

import asyncio
from pathlib import Path

import pytest

from tests.e2e import reading
from tests.e2e.bot_harness import BotHarness

pytestmark = [pytest.mark.e2e, pytest.mark.model, pytest.mark.asyncio(loop_scope="package")]


async def test_first_song_overtakes_somebody_elses_second(
    harness: BotHarness, song: Path, long_song: Path
) -> None:
    greedy, modest = await harness.guest(), await harness.guest()
    async with harness.idle_engine(song):
        first = await greedy.split(long_song, stems="vocals")
        await harness.until_state(first, "processing")
        second = await greedy.split(song, stems="vocals")
        await greedy.sees(second, lambda card: "In line: 1 ahead" in reading.text(card))
        other = await modest.split(song, stems="vocals")
        await asyncio.gather(
            modest.sees(other, lambda card: "In line: 1 ahead" in reading.text(card)),
            greedy.sees(second, lambda card: "In line: 2 ahead" in reading.text(card)),
        )
        await greedy.cancel(first)
    for guest, answer in ((modest, other), (greedy, second)):
        assert len(reading.stems(await guest.sees(answer))) == 1
    assert harness.records.turn(other) < harness.records.turn(second)


async def test_fourth_unfinished_song_is_refused(
    harness: BotHarness, song: Path, long_song: Path
) -> None:
    guest = await harness.guest()
    async with harness.idle_engine(song):
        on_the_way = [await guest.split(each) for each in (long_song, song, song)]
        refused, reply = await guest.result(song)
        [sentence] = reading.sentences(reply)
        assert sentence == (
            "You already have 3 songs in progress. "
            "Wait for one to finish, or stop one with `/cancel`."
        )
        assert reply["ephemeral"]
        assert harness.records.job_id(refused) is None
        for answer in on_the_way:
            await guest.cancel(answer)
    assert harness.records.unfinished() == 0
