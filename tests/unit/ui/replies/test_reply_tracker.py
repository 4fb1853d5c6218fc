"""The tracked state of a reply."""

from bot.domain.backoff import JITTER
from bot.ui.replies.reply_tracker import MAX_PAUSE_S, ReplyState
from tests.support.card_factories import a_job


def test_pauses_grow_and_end_growing_however_many_failures_there_are() -> None:
    state = ReplyState(a_job())
    pauses = []
    for _ in range(2000):
        state.back_off(now=100.0)
        pauses.append(state.not_before - 100.0)
    assert 0 < pauses[0] < pauses[2] < pauses[4]
    assert max(pauses) <= MAX_PAUSE_S * (1 + JITTER)
    assert min(pauses[10:]) >= MAX_PAUSE_S * (1 - JITTER)


def test_an_edit_under_way_covers_what_was_owed_before_it() -> None:
    state = ReplyState(a_job())
    state.owe(1, now=10.0)
    state.owe(2, now=20.0)
    assert state.owed_since == 10.0
    state.is_being_edited = True
    state.owe(3, now=30.0)
    assert state.owed_since == 30.0
    state.settle(2)
    assert state.owed_version == 3
