"""The kill triggers cover every commit; `make chaos` shows that bots survive them."""

from bot.domain.job import TRANSITIONS
from tests.chaos.kill_triggers import TRIGGERS


def test_every_transition_of_a_job_has_a_trigger() -> None:
    steps = {f"{start}>{end}" for start, ends in TRANSITIONS.items() for end in ends}
    assert steps <= TRIGGERS.keys()
