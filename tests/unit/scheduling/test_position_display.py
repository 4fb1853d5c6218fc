"""Queue positions and estimates shown to waiting users."""

from dataclasses import replace

from bot.domain.errors import ProviderBusy
from bot.domain.job import Job, JobId
from bot.domain.minutes import SAMPLE_RATE
from bot.scheduling.circuit_breaker import CircuitBreaker, Operation
from bot.scheduling.position_display import QueuePositions
from bot.scheduling.progress import Progress, ProgressBoard, Stage
from bot.scheduling.throughput import FIRST_GUESS, ThroughputEstimator
from tests.support.fakes import FakeClock, FakeProvider
from tests.support.harness import REPLY, REQUEST

SONG_S = 100


def a_song(name: str) -> Job:
    at = FakeClock().now()
    job = Job(
        id=JobId(name),
        interaction_id=1,
        request=REQUEST,
        reply=REPLY,
        created_at=at,
        updated_at=at,
        title=name,
    )
    return replace(job, frames=SONG_S * SAMPLE_RATE)


class Slot:
    """A job's in-memory state."""

    progress: Progress | None = None


def positions_and_board() -> tuple[QueuePositions, ProgressBoard, CircuitBreaker]:
    board = ProgressBoard({JobId(name): Slot() for name in "abcd"})
    breaker = CircuitBreaker(clock=FakeClock())
    positions = QueuePositions(
        providers={"fake": FakeProvider(concurrency=2)},
        throughput=ThroughputEstimator(),
        breaker=breaker,
        board=board,
    )
    return positions, board, breaker


def waiting(ahead: int, eta_s: float) -> Progress:
    return Progress(stage=Stage.WAITING, ahead=ahead, eta_s=eta_s, provider="Fake")


def test_everyone_in_line_sees_how_many_come_first_and_how_long_they_take() -> None:
    positions, board, _ = positions_and_board()
    positions.publish_positions("fake", [a_song("a"), a_song("b")], [a_song("c"), a_song("d")])
    song_s = FIRST_GUESS * SONG_S
    assert board.get(JobId("c")) == waiting(2, 2 * song_s / 2)
    assert board.get(JobId("d")) == waiting(3, 3 * song_s / 2)
    assert board.get(JobId("a")) is None


def test_one_job_alone_is_shown_what_it_would_be_shown_in_line() -> None:
    positions, board, _ = positions_and_board()
    positions.publish("fake", a_song("c"), [a_song("a"), a_song("b")])
    assert board.get(JobId("c")) == waiting(2, 2 * FIRST_GUESS * SONG_S / 2)


def test_nobody_is_told_of_a_shorter_wait_than_the_providers_rest() -> None:
    positions, board, breaker = positions_and_board()
    breaker.record_failure("fake", Operation.SUBMIT, ProviderBusy(retry_after_s=40.0))
    positions.publish_positions("fake", [], [a_song("a")])
    assert board.get(JobId("a")) == waiting(0, 40.0)


def test_a_job_that_is_over_is_shown_nothing() -> None:
    positions, board, _ = positions_and_board()
    positions.publish("fake", a_song("gone"), [])
    assert board.get(JobId("gone")) is None
