"""Replies whose token Discord refuses although the bot considers it valid."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.errors import Json
from sandbox.interactions import TOKEN_LIFETIME_S
from tests.e2e import reading
from tests.e2e.bot_harness import BotHarness, ConnectedUser

pytestmark = [pytest.mark.e2e, pytest.mark.model, pytest.mark.asyncio(loop_scope="package")]

INVALID_TOKEN = 50027
STEM = "Neon Rain (Vocals).mp3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """A finished song whose token was refused right after Discord's response."""

    guest: ConnectedUser
    answer: Json


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def songs(harness: BotHarness, song: Path) -> Mapping[str, Late]:
    """One song in the server, one in a DM, and two private ones."""
    guests = {
        "server": await harness.guest(),
        "dm": await harness.guest(channel="dm"),
        "private": await harness.guest(),
        "private, closed DM": await harness.guest(),
    }
    closed = int(guests["private, closed DM"].id)
    harness.sandbox.world.change_user(closed, accepts_dms=False, installed_app=False)
    answers = await asyncio.gather(
        *(
            guest.split(song, stems="vocals", private=place.startswith("private"))
            for place, guest in guests.items()
        )
    )
    harness.sandbox.clock.advance(TOKEN_LIFETIME_S)
    await harness.until(lambda: harness.records.unfinished() == 0)
    late = [
        Late(guest=guest, answer=answer)
        for guest, answer in zip(guests.values(), answers, strict=True)
    ]
    return dict(zip(guests, late, strict=True))


@pytest.mark.parametrize("place", ["server", "dm"])
async def test_result_reaches_a_reply_older_than_its_token(
    songs: Mapping[str, Late], harness: BotHarness, place: str
) -> None:
    late = songs[place]
    assert reading.names(await late.guest.sees(late.answer)) == [STEM]
    edits = harness.edits_of(late.answer)
    assert INVALID_TOKEN in [edit["code"] for edit in edits]
    assert edits[-1]["path"].startswith("/channels/")
    assert harness.records.moves(late.answer) == ["hold", "post"]


async def test_private_result_out_of_reach_comes_by_dm(
    songs: Mapping[str, Late], harness: BotHarness
) -> None:
    late = songs["private"]
    late.guest.in_channel("dm")
    message = await late.guest.wait_for(lambda message: bool(reading.stems(message)))
    assert reading.names(message) == [STEM]
    assert harness.records.state(late.answer) == "delivered"
    assert harness.records.moves(late.answer) == ["hold", "post"]


async def test_private_result_that_no_dm_may_bring_waits_for_its_command(
    songs: Mapping[str, Late], harness: BotHarness
) -> None:
    late = songs["private, closed DM"]
    assert harness.records.state(late.answer) == "kept"
    assert harness.records.moves(late.answer) == ["hold", "post"]
    job_id = str(harness.records.job_id(late.answer))
    shown = await late.guest.sees(await late.guest.command("result", job=job_id))
    assert reading.names(shown) == [STEM]
    assert shown["ephemeral"]
