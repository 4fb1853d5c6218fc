"""The fair queue: every user's first song goes before anyone's second."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from bot.domain.job import Job, JobId, UserId
from bot.scheduling.provider_queue import ProviderQueue
from tests.support.harness import REPLY, REQUEST

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


@dataclass
class Told:
    """Records the queue's notifications."""

    turns: list[str] = field(default_factory=list)
    shifts: list[tuple[list[str], list[str]]] = field(default_factory=list)

    def note(self, provider: str, inside: Sequence[Job], waiting: Sequence[Job]) -> None:
        self.shifts.append(([job.id for job in inside], [job.id for job in waiting]))


def a_line(places: int = 1) -> tuple[ProviderQueue, Told]:
    told = Told()
    numbers = {"local": places, "other": 1}
    return ProviderQueue(places=numbers, on_turn=told.turns.append, on_shift=told.note), told


def test_a_free_place_is_taken_at_once() -> None:
    line, _ = a_line()
    assert line.acquire("local", a_job("a", 1, 0)) is None
    assert line.acquire("local", a_job("b", 2, 1)) == 1
    assert (line.counts()["local", "inside"], line.counts()["local", "waiting"]) == (1, 1)


def test_more_places_let_the_next_songs_in() -> None:
    line, told = a_line()
    for number in range(4):
        line.acquire("local", a_job(f"song{number}", number, number))
    line.set_places("local", 3, highest_turn=0)
    assert told.turns == ["song1", "song2"]
    told.turns.clear()
    line.set_places("local", 3, highest_turn=0)
    line.set_places("local", 0, highest_turn=0)
    assert told.turns == []
    assert line.acquire("local", a_job("song1", 1, 1)) == 1


def test_turns_continue_from_those_of_other_bots() -> None:
    line, _ = a_line(places=9)
    ada1, ada2 = a_job("ada1", 1, 0), a_job("ada2", 1, 1)
    assert line.turn_of("local", ada1) == 0
    line.set_places("local", 9, highest_turn=40)
    turns = []
    for job in (ada1, a_job("ben1", 2, 2), ada2):
        line.acquire("local", job)
        turns.append(line.turn_of("local", job))
    assert turns == [40, 40, 41]


def test_a_first_song_goes_before_anyones_second() -> None:
    line, _ = a_line()
    line.acquire("local", a_job("ada1", 1, 0))
    assert line.acquire("local", a_job("ada2", 1, 1)) == 1
    assert line.acquire("local", a_job("ada3", 1, 2)) == 2
    assert line.acquire("local", a_job("ben1", 2, 3)) == 1
    assert line.acquire("local", a_job("ada2", 1, 1)) == 2


def test_a_second_song_stays_behind_when_the_first_one_leaves() -> None:
    line, _ = a_line()
    ada1, ada2, ada3 = (a_job(f"ada{n}", 1, n) for n in range(3))
    ben1 = a_job("ben1", 2, 3)
    for job in (ada1, ada2, ada3, ben1):
        line.acquire("local", job)
    line.release(ada1.id)
    assert line.acquire("local", ada2) == 1
    assert line.acquire("local", ben1) is None
    line.release(ben1.id)
    assert line.acquire("local", ada2) is None


def test_who_comes_late_waits_for_one_song_and_not_for_all_that_others_had() -> None:
    line, _ = a_line()
    songs = [a_job(f"ada{n}", 1, n) for n in range(4)]
    for job in songs:
        line.acquire("local", job)
    for done, following in pairwise(songs[:3]):
        line.release(done.id)
        assert line.acquire("local", following) is None
    ben1, ben2 = a_job("ben1", 2, 8), a_job("ben2", 2, 9)
    assert line.acquire("local", ben1) == 1
    assert line.acquire("local", ben2) == 3
    assert [job.id for job in line.ahead(ben2.id)] == ["ada2", "ben1", "ada3"]


def test_who_was_away_comes_anew() -> None:
    line, _ = a_line()
    ada1, ben1, ada2 = a_job("ada1", 1, 0), a_job("ben1", 2, 1), a_job("ada2", 1, 2)
    cleo1 = a_job("cleo1", 3, 3)
    line.acquire("local", ada1)
    line.release(ada1.id)
    line.acquire("local", ben1)
    assert line.acquire("local", ada2) == 1
    assert line.acquire("local", cleo1) == 2


def test_equal_turns_go_by_age() -> None:
    line, _ = a_line()
    line.acquire("local", a_job("x", 9, 0))
    line.acquire("local", a_job("late", 1, 2))
    line.acquire("local", a_job("early", 2, 1))
    assert [job.id for job in line.ahead(JobId("late"))] == ["x", "early"]


def test_leaving_tells_whose_turn_it_is_and_frees_the_place() -> None:
    line, told = a_line()
    first, second = a_job("a", 1, 0), a_job("b", 2, 1)
    line.acquire("local", first)
    line.acquire("local", second)
    line.release(first.id)
    assert told.turns == ["b"]
    assert line.acquire("local", second) is None


def test_a_long_line_is_not_woken_for_one_place() -> None:
    line, told = a_line(places=2)
    for number, name in enumerate("abcdef"):
        line.acquire("local", a_job(name, number, number))
    line.release(JobId("a"))
    assert told.turns == ["c"]
    assert told.shifts[-1] == (["b"], ["c", "d", "e", "f"])


def test_who_passes_on_a_turn_leaves_it_to_the_next() -> None:
    line, told = a_line()
    for number, name in enumerate("abc"):
        line.acquire("local", a_job(name, number, number))
    line.release(JobId("a"))
    line.acquire("other", a_job("b", 1, 1))
    assert told.turns == ["b", "c"]


def test_nobody_is_called_while_every_place_is_taken() -> None:
    line, told = a_line()
    for number, name in enumerate("abc"):
        line.acquire("local", a_job(name, number, number))
    line.release(JobId("b"))
    assert told.turns == []
    assert told.shifts[-1] == (["a"], ["c"])


def test_a_later_arrival_cannot_take_a_place_meant_for_the_front() -> None:
    line, _ = a_line()
    first, second, third = (a_job(name, n, n) for n, name in enumerate("abc"))
    line.acquire("local", first)
    line.acquire("local", second)
    line.release(first.id)
    assert line.acquire("local", third) == 1
    assert line.acquire("local", second) is None


def test_those_overtaken_are_shifted() -> None:
    line, told = a_line()
    line.acquire("local", a_job("ada1", 1, 0))
    line.acquire("local", a_job("ada2", 1, 1))
    line.acquire("local", a_job("ben1", 2, 2))
    assert told.shifts == [(["ada1"], ["ben1", "ada2"])]


def test_going_to_another_provider_leaves_the_first_line() -> None:
    line, told = a_line()
    line.acquire("local", a_job("a", 1, 0))
    line.acquire("local", a_job("b", 2, 1))
    line.acquire("local", a_job("c", 3, 2))
    assert line.acquire("other", a_job("b", 2, 1)) is None
    assert (line.counts()["local", "inside"], line.counts()["local", "waiting"]) == (1, 1)
    assert told.shifts[-1] == (["a"], ["c"])


def test_a_job_found_at_a_provider_after_a_restart_takes_a_place() -> None:
    line, _ = a_line()
    line.restore("local", a_job("a", 1, 0))
    assert line.acquire("local", a_job("b", 2, 1)) == 1


def test_standing_in_line_takes_no_place_and_keeps_the_turn() -> None:
    line, _ = a_line()
    assert line.enqueue("local", a_job("a", 1, 0)) == 0
    assert line.enqueue("local", a_job("b", 2, 1)) == 1
    assert line.counts()["local", "inside"] == 0
    assert line.acquire("local", a_job("b", 2, 1)) == 1
    assert line.acquire("local", a_job("a", 1, 0)) is None


def test_standing_in_line_gives_up_a_place_taken_before() -> None:
    line, _ = a_line()
    line.acquire("local", a_job("a", 1, 0))
    line.enqueue("local", a_job("a", 1, 0))
    assert line.acquire("local", a_job("b", 2, 1)) == 1
    assert line.counts()["local", "inside"] == 0


def test_a_place_given_up_is_no_turn_taken() -> None:
    line, _ = a_line()
    line.acquire("local", a_job("a", 1, 0))
    line.enqueue("local", a_job("a", 1, 0))
    line.acquire("local", a_job("b", 2, 1))
    assert line.acquire("local", a_job("a", 1, 0)) is None


def test_a_job_that_waits_out_a_cooldown_moves_those_behind_it() -> None:
    line, told = a_line()
    line.acquire("local", a_job("a", 1, 0))
    line.acquire("local", a_job("c", 3, 2))
    line.enqueue("local", a_job("b", 2, 1))
    assert told.shifts[-1] == (["a"], ["b", "c"])
    known = len(told.shifts)
    line.enqueue("local", a_job("b", 2, 1))
    assert len(told.shifts) == known
