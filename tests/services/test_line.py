"""The fair line: everyone's first song before anyone's second."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.domain.job import Job, JobId, UserId
from bot.services.line import Line
from tests.services.house import REPLY, REQUEST

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def a_job(name: str, user: int, age: int) -> Job:
    return Job(
        id=JobId(name),
        interaction_id=age,
        request=replace(REQUEST, user_id=UserId(user)),
        reply=REPLY,
        created_at=NOW + timedelta(seconds=age),
        updated_at=NOW,
        title=name,
    )


def a_line(places: int = 1) -> tuple[Line, list[str]]:
    moved: list[str] = []
    return Line(places={"local": places, "other": 1}, on_move=moved.append), moved


def test_a_free_place_is_taken_at_once() -> None:
    line, _ = a_line()
    assert line.enter("local", a_job("a", 1, 0)) is None
    assert line.enter("local", a_job("b", 2, 1)) == 1
    assert (line.counts()["local", "inside"], line.counts()["local", "waiting"]) == (1, 1)


def test_a_first_song_goes_before_anyones_second() -> None:
    line, _ = a_line()
    line.enter("local", a_job("ada1", 1, 0))
    assert line.enter("local", a_job("ada2", 1, 1)) == 1
    assert line.enter("local", a_job("ada3", 1, 2)) == 2
    assert line.enter("local", a_job("ben1", 2, 3)) == 1
    assert line.enter("local", a_job("ada2", 1, 1)) == 2


def test_equal_turns_go_by_age() -> None:
    line, _ = a_line()
    line.enter("local", a_job("x", 9, 0))
    line.enter("local", a_job("late", 1, 2))
    line.enter("local", a_job("early", 2, 1))
    assert [job.id for job in line.ahead(JobId("late"))] == ["x", "early"]


def test_leaving_tells_those_who_wait_and_frees_the_place() -> None:
    line, moved = a_line()
    first, second = a_job("a", 1, 0), a_job("b", 2, 1)
    line.enter("local", first)
    line.enter("local", second)
    line.leave(first.id)
    assert moved == ["b"]
    assert line.enter("local", second) is None


def test_a_later_arrival_cannot_take_a_place_meant_for_the_front() -> None:
    line, _ = a_line()
    first, second, third = (a_job(name, n, n) for n, name in enumerate("abc"))
    line.enter("local", first)
    line.enter("local", second)
    line.leave(first.id)
    assert line.enter("local", third) == 1
    assert line.enter("local", second) is None


def test_those_overtaken_are_told() -> None:
    line, moved = a_line()
    line.enter("local", a_job("ada1", 1, 0))
    line.enter("local", a_job("ada2", 1, 1))
    line.enter("local", a_job("ben1", 2, 2))
    assert moved == ["ada2"]


def test_going_to_another_provider_leaves_the_first_line() -> None:
    line, moved = a_line()
    line.enter("local", a_job("a", 1, 0))
    line.enter("local", a_job("b", 2, 1))
    line.enter("local", a_job("c", 3, 2))
    assert line.enter("other", a_job("b", 2, 1)) is None
    assert (line.counts()["local", "inside"], line.counts()["local", "waiting"]) == (1, 1)
    assert moved[-1] == "c"


def test_a_job_found_at_a_provider_after_a_restart_takes_a_place() -> None:
    line, _ = a_line()
    line.occupy("local", a_job("a", 1, 0))
    assert line.enter("local", a_job("b", 2, 1)) == 1


def test_standing_in_line_takes_no_place_and_keeps_the_turn() -> None:
    line, _ = a_line()
    assert line.stand("local", a_job("a", 1, 0)) == 0
    assert line.stand("local", a_job("b", 2, 1)) == 1
    assert line.counts()["local", "inside"] == 0
    assert line.enter("local", a_job("b", 2, 1)) == 1
    assert line.enter("local", a_job("a", 1, 0)) is None


def test_standing_in_line_gives_up_a_place_taken_before() -> None:
    line, _ = a_line()
    line.enter("local", a_job("a", 1, 0))
    line.stand("local", a_job("a", 1, 0))
    assert line.enter("local", a_job("b", 2, 1)) == 1
    assert line.counts()["local", "inside"] == 0
