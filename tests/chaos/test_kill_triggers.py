"""The rehearsed commits are all that there are; whether bots survive them is for `make chaos`."""

from bot.domain.job import TRANSITIONS
from tests.chaos.kill_triggers import WAYS


def test_there_is_a_way_to_each_transition_of_a_job() -> None:
    steps = {f"{start}>{end}" for start, ends in TRANSITIONS.items() for end in ends}
    assert steps <= WAYS.keys()
