from pathlib import Path
from typing import Any

import pytest

from bot.delivery.port import Delivered, Delivery, Refused, ReplyUnavailable
from bot.domain.job import State
from bot.ui.replies.edit_routes import EditRoute
from bot.ui.replies.message_requests import Edited, NotEdited
from tests.support.card_factories import a_delivery, a_job
from tests.unit.ui.replies.writer_harness import FakeFollowUp, WriterHarness


@pytest.fixture
def delivery(tmp_path: Path) -> Delivery:
    """A delivery with one stem in the reply and one that does not fit."""
    whole = a_delivery(tmp_path)
    return a_delivery(tmp_path, files=whole.files[:1], more=whole.files[1:])


async def test_what_has_no_room_follows_by_a_way_that_is_open(
    writer_harness: WriterHarness, delivery: Delivery
) -> None:
    writer_harness.routes.routes = [EditRoute.TOKEN, EditRoute.CHANNEL]
    assert await writer_harness.replies.deliver(a_job(State.READY), delivery) == Delivered(71)
    [(content, routes)] = writer_harness.follow_up.sent
    assert content.files is not None
    assert [file.filename for file in content.files] == ["Neon Rain (Vocals).mp3"]
    assert routes == [EditRoute.TOKEN, EditRoute.CHANNEL]


async def test_a_repeated_delivery_sends_no_third_message(
    writer_harness: WriterHarness, delivery: Delivery
) -> None:
    job = a_job(State.READY)
    await writer_harness.replies.deliver(job, delivery)
    assert await writer_harness.replies.deliver(job, delivery) == Delivered(71)
    assert len(writer_harness.follow_up.sent) == 1


async def test_what_was_not_sent_is_sent_by_the_next_try(
    writer_harness: WriterHarness, delivery: Delivery
) -> None:
    class Away(FakeFollowUp):
        async def send(self, *args: Any, **more: Any) -> Edited | NotEdited:
            await super().send(*args, **more)
            if len(self.sent) == 1:
                raise ReplyUnavailable("status 503")
            return Edited(72)

    follow_up: Any = Away()
    writer_harness.replies._follow_up = follow_up
    job = a_job(State.READY)
    with pytest.raises(ReplyUnavailable):
        await writer_harness.replies.deliver(job, delivery)
    assert await writer_harness.replies.deliver(job, delivery) == Delivered(71)
    assert len(follow_up.sent) == 2


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        (NotEdited("no"), Refused("no", one_only=True)),
        (NotEdited("large", is_too_large=True), Refused("large", too_large=True)),
    ],
)
async def test_a_refused_second_message_says_what_might_pass(
    writer_harness: WriterHarness, delivery: Delivery, answer: NotEdited, refusal: Refused
) -> None:
    writer_harness.follow_up.answers = [answer]
    assert await writer_harness.replies.deliver(a_job(State.READY), delivery) == refusal


async def test_a_direct_message_is_one_message(
    writer_harness: WriterHarness, delivery: Delivery
) -> None:
    writer_harness.routes.answers = [NotEdited("gone")]
    refused = await writer_harness.replies.deliver(a_job(State.READY), delivery)
    assert isinstance(refused, Refused)
    assert refused.one_only
    assert writer_harness.direct_messages.sent == []
