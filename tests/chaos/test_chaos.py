"""A slice of the chaos scenes with fixed seeds; `make chaos` runs them at full length."""

import logging
from pathlib import Path

import pytest

from tests.chaos.measurements import Figure
from tests.chaos.scenes.channels import channels
from tests.chaos.scenes.crash import crash
from tests.chaos.scenes.kills import kills
from tests.chaos.scenes.load import greedy
from tests.chaos.scenes.store import locked

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def _silence_broken_connections() -> None:
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)


def missed(figures: list[Figure]) -> list[Figure]:
    return [each for each in figures if not each.is_met and not each.is_speed]


async def test_deaths_at_commits_break_no_promise(tmp_path: Path) -> None:
    assert not missed(await crash(tmp_path, seeds=[15], most=3))


async def test_kills_with_jobs_in_flight_break_no_promise(tmp_path: Path) -> None:
    assert not missed(await kills(tmp_path, seeds=[7], rounds=2, in_flight=10))


async def test_of_many_songs_at_once_only_those_are_held_for_which_there_are_minutes(
    tmp_path: Path,
) -> None:
    assert not missed(await greedy(tmp_path, songs=20, room=5))


async def test_many_jobs_in_few_channels_meet_no_limit_and_all_show_their_end(
    tmp_path: Path,
) -> None:
    assert not missed(await channels(tmp_path, seed=7, jobs=30))


async def test_a_locked_database_turns_songs_away_and_loses_none(tmp_path: Path) -> None:
    assert not missed(await locked(tmp_path, seconds=2, answer_within_s=60))
