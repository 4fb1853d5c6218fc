"""Limits on actions that cost users no minutes."""

from datetime import timedelta

import pytest

from bot.accounts.user_limits import (
    FREE_REFUSALS,
    HOUR,
    LONGEST_PAUSE,
    REPEATS_AN_HOUR,
    RefusedFiles,
    RenderLimit,
    RepeatLimit,
)
from bot.domain.errors import Reason, Rejected
from tests.support.fakes import FakeClock
from tests.support.harness import ADA, BEN


def pause_s(files: RefusedFiles, clock: FakeClock) -> int:
    with pytest.raises(Rejected) as refused:
        files.check(ADA)
    assert refused.value.problem.reason is Reason.UNREADABLE_FILES
    return int(refused.value.problem.facts["again_at"]) - int(clock.now().timestamp())


def test_a_few_refused_files_cost_no_pause() -> None:
    files = RefusedFiles(clock=FakeClock())
    for _ in range(FREE_REFUSALS - 1):
        files.note_refused(ADA, Reason.NOT_AUDIO)
    files.check(ADA)


def test_pauses_grow_up_to_the_longest_and_end() -> None:
    clock = FakeClock()
    files = RefusedFiles(clock=clock)
    pauses = []
    for _ in range(FREE_REFUSALS + 9):
        files.note_refused(ADA, Reason.BROKEN_FILE)
        try:
            files.check(ADA)
        except Rejected:
            pauses.append(pause_s(files, clock))
            clock.move(seconds=pauses[-1])
            files.check(ADA)
    assert pauses == sorted(pauses)
    assert pauses[0] <= 61
    assert pauses[-1] == pytest.approx(LONGEST_PAUSE.total_seconds(), abs=1)


def test_a_song_ends_the_row_and_others_are_not_concerned() -> None:
    files = RefusedFiles(clock=FakeClock())
    for _ in range(FREE_REFUSALS):
        files.note_refused(ADA, Reason.NOT_AUDIO)
    files.check(BEN)
    files.note_read(ADA)
    files.check(ADA)


def test_a_full_disk_is_not_the_fault_of_the_file() -> None:
    files = RefusedFiles(clock=FakeClock())
    for _ in range(10 * FREE_REFUSALS):
        files.note_refused(ADA, Reason.DISK_FULL)
    files.check(ADA)


def test_a_user_gets_so_many_repeats_an_hour_and_is_told_when_there_are_more() -> None:
    clock = FakeClock()
    limit = RepeatLimit(clock=clock)
    first_at = clock.now()
    for _ in range(REPEATS_AN_HOUR):
        limit.take(ADA)
        clock.move(seconds=1)
    with pytest.raises(Rejected) as refused:
        limit.take(ADA)
    assert refused.value.problem.reason is Reason.TOO_MANY_REPEATS
    assert refused.value.problem.facts["again_at"] == int((first_at + HOUR).timestamp()) + 1
    limit.take(BEN)
    clock.at = first_at + HOUR + timedelta(seconds=1)
    limit.take(ADA)


def test_minutes_are_given_back_for_what_fails_and_counted_for_what_does_not() -> None:
    limit = RenderLimit(clock=FakeClock(), minutes=10)
    for _ in range(3):
        with pytest.raises(OSError, match="disk"), limit.taking(ADA, 10):
            raise OSError("disk")
    with limit.taking(ADA, 10):
        pass
    with pytest.raises(Rejected), limit.taking(ADA, 1):
        pass
    with limit.taking(BEN, 10):
        pass


def test_what_fails_after_more_than_an_hour_raises_its_own_error() -> None:
    clock = FakeClock()
    limit = RenderLimit(clock=clock, minutes=10)
    taking = limit.taking(ADA, 10)
    taking.__enter__()
    clock.move(seconds=HOUR.total_seconds() + 1)
    with limit.taking(BEN, 10):
        pass
    error = OSError("disk")
    assert not taking.__exit__(OSError, error, None)


def render_limit(clock: FakeClock, minutes: int = 10) -> RenderLimit:
    return RenderLimit(clock=clock, minutes=minutes)


def test_a_user_may_render_some_minutes_an_hour_and_others_are_not_concerned() -> None:
    clock = FakeClock()
    limit = render_limit(clock)
    for minutes in (4, 4):
        with limit.taking(ADA, minutes):
            clock.move(minutes=10)
    with pytest.raises(Rejected) as refused, limit.taking(ADA, 3):
        pytest.fail("three minutes are too many")
    assert refused.value.problem.reason is Reason.RENDER_LIMIT
    assert refused.value.problem.facts["minutes"] == 10
    with limit.taking(ADA, 2), limit.taking(BEN, 10):
        pass


def test_a_refused_user_is_told_when_there_is_room_again() -> None:
    clock = FakeClock()
    limit = render_limit(clock)
    with limit.taking(ADA, 6):
        clock.move(minutes=10)
    with limit.taking(ADA, 4):
        pass
    with pytest.raises(Rejected) as refused, limit.taking(ADA, 7):
        pytest.fail("seven minutes are too many")
    again_at = int(refused.value.problem.facts["again_at"])
    wait_s = again_at - int(clock.now().timestamp())
    assert wait_s == pytest.approx(HOUR.total_seconds(), abs=1)
    with pytest.raises(Rejected) as sooner, limit.taking(ADA, 6):
        pytest.fail("six minutes are too many")
    assert int(sooner.value.problem.facts["again_at"]) == again_at - 600
    clock.move(seconds=int(sooner.value.problem.facts["again_at"]) - clock.now().timestamp())
    with limit.taking(ADA, 6):
        pass


def test_what_failed_or_was_cancelled_is_not_counted() -> None:
    limit = render_limit(FakeClock())
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), limit.taking(ADA, 10):
            raise error
    with limit.taking(ADA, 10):
        pass


def test_a_song_that_is_longer_than_the_limit_has_no_time_to_wait_for() -> None:
    with pytest.raises(Rejected) as refused, render_limit(FakeClock()).taking(ADA, 11):
        pytest.fail("eleven minutes are too many")
    assert "again_at" not in refused.value.problem.facts
