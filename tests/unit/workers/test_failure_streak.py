import pytest

from bot.domain.backoff import JITTER
from bot.domain.errors import StoreUnavailable
from bot.domain.job import JobId
from bot.workers import failure_streak as module
from bot.workers.failure_streak import FailureStreak


class Rows:
    """The songs that have failed on other workers. It first raises scripted errors."""

    def __init__(self) -> None:
        self.elsewhere: set[str] = set()
        self.errors: list[Exception] = []
        self.asked = 0

    async def has_failed_elsewhere(self, job_id: JobId, *, worker: str) -> bool:
        assert worker == "w"
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return job_id in self.elsewhere


class Time:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def streak(rows: Rows, time: Time) -> FailureStreak:
    return FailureStreak(separations=rows, worker="w", monotonic_s=time)  # type: ignore[arg-type] # matches by shape


async def fail(streak: FailureStreak, *songs: str) -> None:
    for song in songs:
        await streak.add(JobId(song))


def is_paused(streak: FailureStreak) -> bool:
    return streak.is_paused


async def test_three_failures_in_a_row_pause_the_worker_and_a_success_ends_it(
    streak: FailureStreak, caplog: pytest.LogCaptureFixture
):
    await fail(streak, "a", "b")
    assert not is_paused(streak)
    await fail(streak, "c")
    assert streak.trouble == "3 separations in a row failed here"
    assert "so it pauses for" in caplog.text
    streak.end()
    await fail(streak, "d", "e")
    assert not is_paused(streak)


async def test_one_song_that_fails_again_and_again_does_not_pause_it(
    streak: FailureStreak, time: Time
):
    await fail(streak, *"aaaaa")
    assert not is_paused(streak)
    await fail(streak, "b")
    assert is_paused(streak)
    await _pause_s(streak, time)
    await fail(streak, *"bb")
    assert is_paused(streak)


async def test_songs_that_failed_elsewhere_do_not_pause_it(streak: FailureStreak, rows: Rows):
    rows.elsewhere = {"a", "b", "d"}
    await fail(streak, *"abcde")
    assert not is_paused(streak)
    await fail(streak, "f")
    assert is_paused(streak)


async def test_a_pause_ends_when_songs_turn_out_to_fail_elsewhere_too(
    streak: FailureStreak, rows: Rows, time: Time
):
    await fail(streak, "a", "b", "c")
    assert is_paused(streak)
    rows.elsewhere = {"b"}
    await streak.review()
    assert not is_paused(streak)
    await fail(streak, "d")
    assert await _pause_s(streak, time) <= module.FIRST_PAUSE_S * (1 + JITTER)


async def test_pauses_grow_until_a_song_succeeds(streak: FailureStreak, time: Time):
    await fail(streak, "a", "b", "c")
    pauses = [await _pause_s(streak, time)]
    for number in range(12):
        await fail(streak, f"later {number % 2}")
        pauses.append(await _pause_s(streak, time))
    bounds = [min(60.0 * 2**number, 3600.0) for number in range(13)]
    for pause, bound in zip(pauses, bounds, strict=True):
        assert (1 - JITTER) * bound - 1 <= pause <= (1 + JITTER) * bound + 1
    streak.end()
    await fail(streak, "a", "b", "c")
    assert await _pause_s(streak, time) <= module.FIRST_PAUSE_S * (1 + JITTER)


async def test_an_outage_of_the_database_does_not_excuse_the_worker(
    streak: FailureStreak, rows: Rows
):
    rows.errors = [StoreUnavailable("away")] * 20
    await fail(streak, "a", "b", "c")
    assert is_paused(streak)


async def test_the_songs_to_look_for_do_not_grow(streak: FailureStreak, rows: Rows):
    await fail(streak, *map(str, range(50)))
    rows.asked = 0
    await streak.review()
    assert rows.asked == module.MOST_IN_A_ROW


async def _pause_s(streak: FailureStreak, time: Time) -> float:
    """Let a pause pass, and return its length."""
    began_s = time.now_s
    assert is_paused(streak)
    while is_paused(streak):
        time.now_s += 1
    return time.now_s - began_s
