"""A slice of the chaos scenes with fixed seeds; `make chaos` runs them at full length."""

import logging
from pathlib import Path

import pytest

from tests.chaos.measurements import Figure
from tests.chaos.scenes.batch import batch
from tests.chaos.scenes.channels import channels
from tests.chaos.scenes.cluster import cluster
from tests.chaos.scenes.crash import crash
from tests.chaos.scenes.duplicates import duplicates
from tests.chaos.scenes.failing_vendor import failing_vendor
from tests.chaos.scenes.kills import kills
from tests.chaos.scenes.load import greedy
from tests.chaos.scenes.renditions import renditions
from tests.chaos.scenes.room import repeats, room
from tests.chaos.scenes.store import locked
from tests.chaos.scenes.unreadable import unreadable

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def _silence_broken_connections() -> None:
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)


def missed(figures: list[Figure]) -> list[Figure]:
    return [each for each in figures if not each.is_met and not each.is_speed]


async def test_deaths_at_commits_break_no_promise(tmp_path: Path) -> None:
    assert not missed(await crash(tmp_path, seeds=[15], most=3))


async def test_deaths_in_the_middle_of_batches_and_zips_lose_and_repeat_nothing(
    tmp_path: Path,
) -> None:
    assert not missed(await batch(tmp_path, seeds=[7], most=3))


async def test_deaths_in_the_middle_of_renditions_leave_no_reply_waiting(tmp_path: Path) -> None:
    assert not missed(await renditions(tmp_path, seeds=[7], rounds=2))


@pytest.mark.timeout(400)  # six processes start, and wait for each other's heartbeats to end
async def test_processes_server_and_networks_of_a_cluster_fail(
    tmp_path: Path, postgres_server: object
) -> None:
    del postgres_server  # skips the test where there is no PostgreSQL
    # With this seed: a worker's network is silent, the server restarts, a bot and a worker die.
    assert not missed(await cluster(tmp_path, seed=258, failures=4, away_s=3, song_every_s=1.5))


async def test_kills_with_jobs_in_flight_break_no_promise(tmp_path: Path) -> None:
    assert not missed(await kills(tmp_path, seeds=[7], rounds=2, in_flight=10))


async def test_many_songs_at_once_are_held_within_the_quota(
    tmp_path: Path,
) -> None:
    assert not missed(await greedy(tmp_path, songs=20, room=5))


async def test_many_jobs_in_few_channels_hit_no_limit_and_show_their_end(
    tmp_path: Path,
) -> None:
    assert not missed(await channels(tmp_path, seed=7, jobs=30))


async def test_locked_database_refuses_songs_and_loses_none(tmp_path: Path) -> None:
    assert not missed(await locked(tmp_path, seconds=2, answer_within_s=60))


async def test_interactions_delivered_twice_cancel_and_charge_nothing(tmp_path: Path) -> None:
    assert not missed(await duplicates(tmp_path, seed=7, rounds=1, songs=3))


async def test_vendor_that_fails_at_every_song_bills_a_few(tmp_path: Path) -> None:
    assert not missed(await failing_vendor(tmp_path, seed=7, songs=20))


async def test_unreadable_rows_stop_nothing_else(tmp_path: Path) -> None:
    assert not missed(await unreadable(tmp_path))


async def test_songs_that_decode_large_stay_below_the_cap(tmp_path: Path) -> None:
    assert not missed(await room(tmp_path, seed=7, songs=20, cap_gib=0.3, minutes=1))


async def test_repeats_of_one_user_leave_room_for_others(tmp_path: Path) -> None:
    assert not missed(await repeats(tmp_path, times=8, cap_gib=0.2))
