"""What is remembered of one reply."""

from bot.domain.backoff import JITTER
from bot.ui.replies.reply_tracker import MAX_PAUSE_S, ReplyState
from tests.support.card_factories import a_job


def test_a_reply_that_failed_for_a_day_is_still_paused() -> None:
    reply = ReplyState(a_job())
    for _ in range(1_100):
        reply.failed(now=0.0)
    assert (1 - JITTER) * MAX_PAUSE_S <= reply.not_before <= (1 + JITTER) * MAX_PAUSE_S
