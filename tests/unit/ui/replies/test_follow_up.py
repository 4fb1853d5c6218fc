from pathlib import Path
from typing import Any

import pytest

from bot.delivery.port import Delivered, Parcel, Refused, ReplyUnavailable
from bot.domain.job import State
from bot.ui.replies.edit_routes import Way
from bot.ui.replies.message_requests import NotShown, Shown
from tests.support.card_factories import a_job, a_parcel
from tests.unit.ui.replies.writer_harness import Desk, FakeSequel


@pytest.fixture
def parcel(tmp_path: Path) -> Parcel:
    """One stem in the reply and one for which it has no room."""
    whole = a_parcel(tmp_path)
    return a_parcel(tmp_path, files=whole.files[:1], more=whole.files[1:])


async def test_what_has_no_room_follows_by_a_way_that_is_open(desk: Desk, parcel: Parcel) -> None:
    desk.routes.ways = [Way.TOKEN, Way.CHANNEL]
    assert await desk.replies.deliver(a_job(State.READY), parcel) == Delivered(71)
    [(sheet, ways)] = desk.sequel.sent
    assert sheet.files is not None
    assert [file.filename for file in sheet.files] == ["Neon Rain (Vocals).mp3"]
    assert ways == [Way.TOKEN, Way.CHANNEL]


async def test_a_repeated_delivery_sends_no_third_message(desk: Desk, parcel: Parcel) -> None:
    job = a_job(State.READY)
    await desk.replies.deliver(job, parcel)
    assert await desk.replies.deliver(job, parcel) == Delivered(71)
    assert len(desk.sequel.sent) == 1


async def test_what_was_not_sent_is_sent_by_the_next_try(desk: Desk, parcel: Parcel) -> None:
    class Away(FakeSequel):
        async def send(self, *args: Any, **more: Any) -> Shown | NotShown:
            await super().send(*args, **more)
            if len(self.sent) == 1:
                raise ReplyUnavailable("status 503")
            return Shown(72)

    sequel: Any = Away()
    desk.replies._sequel = sequel
    job = a_job(State.READY)
    with pytest.raises(ReplyUnavailable):
        await desk.replies.deliver(job, parcel)
    assert await desk.replies.deliver(job, parcel) == Delivered(71)
    assert len(sequel.sent) == 2


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        (NotShown("no"), Refused("no", one_only=True)),
        (NotShown("large", is_too_large=True), Refused("large", too_large=True)),
    ],
)
async def test_a_refused_second_message_says_what_might_pass(
    desk: Desk, parcel: Parcel, answer: NotShown, refusal: Refused
) -> None:
    desk.sequel.answers = [answer]
    assert await desk.replies.deliver(a_job(State.READY), parcel) == refusal


async def test_a_direct_message_is_one_message(desk: Desk, parcel: Parcel) -> None:
    desk.routes.answers = [NotShown("gone")]
    refused = await desk.replies.deliver(a_job(State.READY), parcel)
    assert isinstance(refused, Refused)
    assert refused.one_only
    assert desk.direct.sent == []
