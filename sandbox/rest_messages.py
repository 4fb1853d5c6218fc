"""REST endpoints of channels and their messages, authorized by the bot's token."""

from contextlib import AbstractAsyncContextManager

from aiohttp import web

from sandbox.answers import json_answer
from sandbox.bodies import Body, BodyReader
from sandbox.conversation import Conversation, Sender
from sandbox.entities import Channel, Message
from sandbox.errors import DiscordError
from sandbox.limits import RateLimits
from sandbox.page_feed import PageFeed
from sandbox.payloads import Payloads
from sandbox.rest import Authorizer, number
from sandbox.world import World

MOST_LISTED = 100
_DEFAULT_LISTED = 50


class MessageRest:
    """Handlers for channels and messages. Each checks the bot's access first."""

    def __init__(
        self,
        *,
        world: World,
        payloads: Payloads,
        feed: PageFeed,
        conversation: Conversation,
        bodies: BodyReader,
        limits: RateLimits,
        authorizer: Authorizer,
    ) -> None:
        self._world = world
        self._payloads = payloads
        self._feed = feed
        self._conversation = conversation
        self._bodies = bodies
        self._limits = limits
        self._authorizer = authorizer

    def routes(self, base: str) -> list[web.RouteDef]:
        """Return the routes to serve below a base path."""
        channel = f"{base}/channels/{{channel:\\d+}}"
        messages = f"{channel}/messages"
        message = f"{messages}/{{message:\\d+}}"
        return [
            web.get(channel, self.get_channel),
            web.post(f"{channel}/typing", self.type_in_channel),
            web.get(messages, self.list_messages),
            web.post(messages, self.send_message),
            web.get(message, self.get_message),
            web.patch(message, self.edit_message),
            web.delete(message, self.delete_message),
        ]

    async def get_channel(self, request: web.Request) -> web.Response:
        """Answer with a channel."""
        return json_answer(self._payloads.channel(self._channel(request)))

    async def type_in_channel(self, request: web.Request) -> web.Response:
        """Show the bot typing."""
        self._authorizer.check(request)
        channel = self._world.writable_channel(number(request, "channel"))
        bot = self._world.bot
        event = {"channel_id": str(channel.id), "user_id": str(bot.id), "user": bot.name}
        self._feed.tell_channel(channel.id, {"type": "typing", **event})
        return web.Response(status=204)

    async def list_messages(self, request: web.Request) -> web.Response:
        """Answer with messages, newest first."""
        channel = self._channel(request)
        asked = {key: int(text) for key, text in request.query.items() if text.isdecimal()}
        limit = min(max(asked.get("limit", _DEFAULT_LISTED), 1), MOST_LISTED)
        found = [m for m in self._world.messages_in(channel.id) if not m.is_ephemeral]
        if "before" in asked:
            found = [message for message in found if message.id < asked["before"]]
        if "after" in asked:
            found = [message for message in found if message.id > asked["after"]][:limit]
        return json_answer([self._payloads.message(m) for m in found[: -limit - 1 : -1]])

    async def send_message(self, request: web.Request) -> web.Response:
        """Send a message as the bot."""
        self._authorizer.check(request)
        channel = self._world.writable_channel(number(request, "channel"))
        sender = Sender(user_id=self._world.bot.id)
        async with self._read(request) as body:
            message = await self._conversation.send(channel, body, sender=sender)
        return json_answer(self._payloads.message(message))

    async def get_message(self, request: web.Request) -> web.Response:
        """Answer with a message."""
        return json_answer(self._payloads.message(self._message(request)))

    async def edit_message(self, request: web.Request) -> web.Response:
        """Edit one of the bot's messages."""
        message = self._message(request)
        if message.author_id != self._world.bot.id:
            raise DiscordError(50005)
        self._limits.count_old_edit(message.channel_id, message.created_at)
        async with self._read(request) as body:
            edited = await self._conversation.edit(self._message(request), body)
        return json_answer(self._payloads.message(edited))

    async def delete_message(self, request: web.Request) -> web.Response:
        """Delete one of the bot's messages. The bot has no permission to delete those of others."""
        message = self._message(request)
        if message.author_id != self._world.bot.id:
            channel = self._world.channels[message.channel_id]
            raise DiscordError(50003 if channel.guild_id is None else 50013)
        await self._conversation.delete(message)
        return web.Response(status=204)

    def _channel(self, request: web.Request) -> Channel:
        self._authorizer.check(request)
        return self._world.channel(number(request, "channel"))

    def _message(self, request: web.Request) -> Message:
        self._authorizer.check(request)
        return self._world.message(number(request, "channel"), number(request, "message"))

    def _read(self, request: web.Request) -> AbstractAsyncContextManager[Body]:
        limit = self._world.attachment_size_limit
        return self._bodies.read(request, file_limit_bytes=limit)
