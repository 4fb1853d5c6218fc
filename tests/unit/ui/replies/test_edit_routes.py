from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.delivery.port import ReplyUnavailable
from bot.domain.clock import SystemClock
from bot.domain.job import Context, Reply, State
from bot.i18n.languages import Languages
from bot.ui.cards.job_cards import card_of
from bot.ui.cards.message_content import MessageContent, attachment_files
from bot.ui.cards.result_cards import result_card
from bot.ui.client import Stemcord, point_at
from bot.ui.commands.registration import Registration
from bot.ui.replies.edit_routes import EditRoute, EditRoutes
from bot.ui.replies.message_requests import Edited, NotEdited
from sandbox.client import SandboxClient
from sandbox.entities import Channel
from sandbox.server import DEFAULT_TOKEN, Sandbox
from tests.support.card_factories import NOW, REPLY, a_delivery, a_job
from tests.support.fakes import FakeClock

WORKING = MessageContent(card=card_of(a_job(State.PROCESSING)))


class NoMemory:
    async def get(self, key: str) -> str | None:
        return None

    async def put(self, key: str, value: str) -> None:
        """Forget it."""


class Stage:
    """A logged-in client, and a message of the bot in #karaoke."""

    def __init__(self, sandbox: Sandbox, client: Stemcord, people: SandboxClient) -> None:
        self.sandbox = sandbox
        self.people = people
        self.client = client
        self.routes = EditRoutes(client=client, clock=SystemClock())
        self.closed: set[EditRoute] = set()

    @property
    def channel(self) -> Channel:
        return next(c for c in self.sandbox.world.channels.values() if c.name == "karaoke")

    async def posted(self, **changes: Any) -> Reply:
        """Post a message, and return it as a reply that only the bot's token can edit."""
        posted = await self.client.get_partial_messageable(self.channel.id).send("posted")
        reply = Reply(
            channel_id=self.channel.id,
            context=Context.GUILD,
            application_id=self.sandbox.world.application_id,
            message_id=posted.id,
        )
        return replace(reply, **changes)

    async def with_dead_token(self) -> Reply:
        return await self.posted(
            token="gone", token_expires_at=SystemClock().now() + timedelta(minutes=9)
        )

    async def show(self, reply: Reply, content: MessageContent = WORKING) -> Edited | NotEdited:
        return await self.routes.show(reply, content, closed=self.closed)

    async def message(self) -> dict[str, Any]:
        return (await self.people.messages())[-1]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    client = Stemcord(
        registration=Registration(memory=NoMemory(), languages=Languages({})),
        languages=Languages({}),
    )
    async with Sandbox() as sandbox, SandboxClient(sandbox.base_url) as people:
        point_at(sandbox.api_base)
        await client.login(DEFAULT_TOKEN)
        yield Stage(sandbox, client, people)
        await client.close()
        point_at("https://discord.com/api/v10")


def routes_of(
    reply: Reply, *, after: timedelta, closed: set[EditRoute] | None = None
) -> list[EditRoute]:
    clock = FakeClock()
    clock.at = NOW + after
    client: Any = None
    return EditRoutes(client=client, clock=clock).open_routes(reply, closed or set())


@pytest.mark.parametrize(
    ("minutes", "routes"),
    [
        (0, [EditRoute.TOKEN, EditRoute.CHANNEL]),
        (13.9, [EditRoute.TOKEN, EditRoute.CHANNEL]),
        (14, [EditRoute.CHANNEL, EditRoute.TOKEN]),
        (15, [EditRoute.CHANNEL]),
    ],
)
def test_the_token_comes_first_until_shortly_before_its_end(
    minutes: float, routes: list[EditRoute]
) -> None:
    assert routes_of(REPLY, after=timedelta(minutes=minutes)) == routes


@pytest.mark.parametrize("context", Context)
def test_the_bots_token_reaches_only_what_it_can_see(context: Context) -> None:
    reply = replace(REPLY, context=context, token=None)
    is_reached = context in (Context.GUILD, Context.BOT_DM)
    assert routes_of(reply, after=timedelta()) == ([EditRoute.CHANNEL] if is_reached else [])


def test_a_closed_way_is_not_tried() -> None:
    assert routes_of(REPLY, after=timedelta(), closed={EditRoute.TOKEN}) == [EditRoute.CHANNEL]
    unknown = replace(REPLY, message_id=None)
    assert routes_of(unknown, after=timedelta(), closed={EditRoute.TOKEN}) == []


async def test_a_refused_token_leaves_the_channel(stage: Stage) -> None:
    reply = await stage.with_dead_token()
    assert await stage.show(reply) == Edited(reply.message_id or 0)
    assert stage.closed == {EditRoute.TOKEN}
    message = await stage.message()
    assert message["embeds"][0]["title"] == "Neon Rain · Karaoke"
    assert message["content"] == ""
    assert len(message["components"]) == 1


async def test_a_deleted_message_closes_the_last_way(stage: Stage) -> None:
    reply = await stage.with_dead_token()
    assert reply.message_id is not None
    await (
        stage.client.get_partial_messageable(reply.channel_id)
        .get_partial_message(reply.message_id)
        .delete()
    )
    assert isinstance(await stage.show(reply), NotEdited)
    assert stage.closed == {EditRoute.TOKEN, EditRoute.CHANNEL}
    asked = len(await stage.people.log())
    assert await stage.show(reply) == NotEdited("no route is left")
    assert len(await stage.people.log()) == asked, "closed routes cost no request"


async def test_a_channel_that_the_bot_lost_is_closed(stage: Stage) -> None:
    reply = await stage.posted()
    stage.sandbox.world.set_bot_access(reply.channel_id, view=False)
    assert await stage.show(reply) == NotEdited("by channel: status 403, code 50001")


@pytest.mark.parametrize("fault", [{"status": 503}, {"reset": True}, {"status": 429, "code": 0}])
async def test_trouble_on_the_way_means_later(stage: Stage, fault: dict[str, Any]) -> None:
    reply = await stage.posted()
    await stage.people.fault("PATCH /channels/*", **fault)
    with pytest.raises(ReplyUnavailable):
        await stage.show(reply)
    assert stage.closed == set()
    await stage.people.clear_faults()
    assert await stage.show(reply) == Edited(reply.message_id or 0)


async def test_stems_replace_what_was_attached(stage: Stage, tmp_path: Path) -> None:
    reply = await stage.posted()
    delivery = a_delivery(tmp_path)
    content = MessageContent(
        card=result_card(a_job(State.READY), delivery),
        files=attachment_files(a_job(State.READY), delivery),
    )
    await stage.show(reply, content)
    await stage.show(reply, content)
    names = [attachment["filename"] for attachment in (await stage.message())["attachments"]]
    assert names == ["Neon Rain (Instrumental).mp3", "Neon Rain (Vocals).mp3"]


async def test_a_card_leaves_attachments_alone(stage: Stage, tmp_path: Path) -> None:
    reply = await stage.posted()
    delivery = a_delivery(tmp_path)
    await stage.show(
        reply,
        MessageContent(
            card=result_card(a_job(State.READY), delivery),
            files=attachment_files(a_job(State.READY), delivery),
        ),
    )
    await stage.show(reply)
    assert len((await stage.message())["attachments"]) >= 2


async def test_too_large_is_told_apart_and_closes_nothing(stage: Stage, tmp_path: Path) -> None:
    reply = await stage.posted()
    delivery = a_delivery(tmp_path)
    delivery.files[0].path.write_bytes(b"\0" * (stage.sandbox.world.attachment_size_limit + 1))
    content = MessageContent(
        card=result_card(a_job(State.READY), delivery),
        files=attachment_files(a_job(State.READY), delivery),
    )
    answer = await stage.show(reply, content)
    assert isinstance(answer, NotEdited)
    assert answer.is_too_large
    assert stage.closed == set()


async def test_a_card_that_is_called_too_large_is_shown_later(stage: Stage) -> None:
    reply = await stage.posted()
    await stage.people.fault("PATCH /channels/*", status=413, code=40005, times=1)
    with pytest.raises(ReplyUnavailable):
        await stage.show(reply)
    assert stage.closed == set()
    assert await stage.show(reply) == Edited(reply.message_id or 0)


async def test_words_that_a_server_forbids_are_said_plainly(stage: Stage, tmp_path: Path) -> None:
    reply = await stage.posted()
    delivery = a_delivery(tmp_path)
    await stage.people.fault("PATCH /channels/*", status=400, code=200000, times=1)
    content = MessageContent(
        card=result_card(a_job(State.READY), delivery),
        files=attachment_files(a_job(State.READY), delivery),
    )
    assert await stage.show(reply, content) == Edited(reply.message_id or 0)
    message = await stage.message()
    assert message["content"] == "Your stems are here."
    assert message["embeds"] == []
    assert "Neon" not in str(message)


async def test_a_server_that_forbids_plain_words_too_closes_the_way(stage: Stage) -> None:
    reply = await stage.posted()
    await stage.people.fault("PATCH /channels/*", status=400, code=200000)
    assert isinstance(await stage.show(reply), NotEdited)
    assert stage.closed == {EditRoute.CHANNEL}


@pytest.mark.parametrize("context", Context)
def test_only_replies_beyond_the_bots_own_reach_are_closing(context: Context) -> None:
    clock = FakeClock()
    client: Any = None
    routes = EditRoutes(client=client, clock=clock)
    reply = replace(REPLY, context=context, token_expires_at=clock.now() + timedelta(minutes=15))
    said = []
    for _ in range(16):
        said.append(routes.is_closing(reply))
        clock.move(minutes=1)
    is_beyond = context not in (Context.GUILD, Context.BOT_DM)
    assert said == [False] * 14 + [is_beyond] + [False]
