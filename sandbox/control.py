"""The control API: users, clock and faults over HTTP, for the page, the demo and tests."""

import asyncio
import json
from typing import TypeVar

from aiohttp import BodyPartReader, WSMsgType, web
from aiohttp.typedefs import Handler
from pydantic import ValidationError

from sandbox import control_requests as asked
from sandbox.bodies import BodyReader
from sandbox.clock import SandboxClock, iso
from sandbox.command_rules import MESSAGE_MENU
from sandbox.entities import Attachment, Permission
from sandbox.errors import DiscordError, Json
from sandbox.faults import Fault, Faults
from sandbox.gateway import Gateway
from sandbox.interactions import AnswerKind, Interaction
from sandbox.invocations import NotAllowed
from sandbox.media import MediaStore
from sandbox.page_feed import PageFeed
from sandbox.page_state import PageState
from sandbox.people import People, answered
from sandbox.request_log import RequestLog
from sandbox.world import MIB, World

LARGEST_UPLOAD = 500 * MIB
_Asked = TypeVar("_Asked", bound=asked.ControlRequest)


@web.middleware
async def _explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error with `{error}`."""
    try:
        return await handler(request)
    except NotAllowed as exc:
        return web.json_response({"error": str(exc)})
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        return web.json_response({"error": f"{where}: {first['msg']}"}, status=400)
    except (DiscordError, ValueError) as exc:
        return web.json_response({"error": str(exc)}, status=400)


async def _parse(request: web.Request, form: type[_Asked]) -> _Asked:
    return form.model_validate_json(await request.read() or b"{}")


class Control:
    """Handlers of the control API, as a separate application below `/sandbox`."""

    def __init__(
        self,
        *,
        world: World,
        clock: SandboxClock,
        people: People,
        media: MediaStore,
        bodies: BodyReader,
        feed: PageFeed,
        gateway: Gateway,
        faults: Faults,
        log: RequestLog,
        state: PageState,
    ) -> None:
        self._world = world
        self._clock = clock
        self._people = people
        self._media = media
        self._bodies = bodies
        self._feed = feed
        self._gateway = gateway
        self._faults = faults
        self._log = log
        self._state = state

    def application(self) -> web.Application:
        """Return the aiohttp application."""
        application = web.Application(middlewares=[_explain], client_max_size=4 * MIB)
        application.add_routes(
            [
                web.get("/state", self.get_state),
                web.get("/messages", self.get_messages),
                web.get("/events", self.stream_events),
                web.get("/log", self.get_log),
                web.post("/uploads", self.upload),
                web.post("/commands", self.use_command),
                web.post("/autocomplete", self.complete),
                web.post("/components", self.press),
                web.get("/modals/{modal}", self.get_form),
                web.post("/modals", self.send_form),
                web.post("/locale", self.speak),
                web.post("/permissions", self.permit),
                web.post("/messages", self.write),
                web.delete("/messages/{message:\\d+}", self.delete_message),
                web.post("/clock", self.advance),
                web.post("/faults", self.order_fault),
                web.delete("/faults", self.clear_faults),
                web.post("/gateway", self.disturb_gateway),
            ]
        )
        return application

    async def get_state(self, request: web.Request) -> web.Response:
        """Answer with the users, channels, commands and everything else the page shows."""
        return web.json_response(self._state.written())

    async def get_messages(self, request: web.Request) -> web.Response:
        """Answer with a channel's messages that a user can see."""
        user = self._people.user(int(request.query.get("as", "0")))
        channel = self._people.channel(int(request.query.get("channel", "0")), user)
        messages = self._world.messages_in(channel.id)
        seen = [self._feed.shown(m) for m in messages if self._world.may_see(user.id, m)]
        return web.json_response(seen)

    async def stream_events(self, request: web.Request) -> web.WebSocketResponse:
        """Stream the events that a user can see."""
        user = self._people.user(int(request.query.get("as", "0")))
        socket = web.WebSocketResponse(heartbeat=30)
        with self._feed.reader(user.id) as queue:
            await socket.prepare(request)
            pusher = asyncio.create_task(_push(queue, socket))
            try:
                while (await socket.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    continue
            finally:
                pusher.cancel()
                await asyncio.gather(pusher, return_exceptions=True)
        return socket

    async def get_log(self, request: web.Request) -> web.Response:
        """Answer with the requests that the bot made."""
        return web.json_response(self._log.entries())

    async def upload(self, request: web.Request) -> web.Response:
        """Store a file for later use."""
        if request.content_type != "multipart/form-data":
            raise NotAllowed("An upload is a form with a file.")
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader) and part.filename:
                attachment = await self._receive(part, part.filename)
                answer = {
                    "id": str(attachment.id),
                    "filename": attachment.shown_name,
                    "size": attachment.size_bytes,
                    "content_type": attachment.content_type,
                    "url": self._media.url(attachment),
                }
                return web.json_response(answer)
        raise NotAllowed("There is no file in this upload.")

    async def _receive(self, part: BodyPartReader, name: str) -> Attachment:
        path = self._media.new_path()
        try:
            if await self._bodies.save(part, path, LARGEST_UPLOAD) > LARGEST_UPLOAD:
                raise NotAllowed("This file is too large: 500 MB at most.")
            return self._people.upload(path, name)
        finally:
            path.unlink(missing_ok=True)

    async def use_command(self, request: web.Request) -> web.Response:
        """Use a command; answer once the bot has answered."""
        form = await _parse(request, asked.UseCommand)
        user = self._people.user(form.user)
        channel = self._people.channel(form.channel, user)
        if form.type == MESSAGE_MENU:
            target = self._people.message(form.target_message or 0, user)
            interaction = await self._people.use_menu(user, channel, form.name, target)
        else:
            interaction = await self._people.use_command(
                user, channel, form.name, form.options, form.locale
            )
        return _acknowledged(interaction)

    async def complete(self, request: web.Request) -> web.Response:
        """Answer with the bot's suggestions."""
        form = await _parse(request, asked.Complete)
        user = self._people.user(form.user)
        channel = self._people.channel(form.channel, user)
        typed = str(form.value)
        interaction = await self._people.complete(
            user, channel, form.name, form.options, focused=form.option, typed=typed
        )
        return web.json_response({"choices": list(answered(interaction).choices)})

    async def press(self, request: web.Request) -> web.Response:
        """Press a button or choose from a menu; answer once the bot has answered."""
        form = await _parse(request, asked.Press)
        user = self._people.user(form.user)
        message = self._people.message(form.message_id, user)
        return _acknowledged(await self._people.press(user, message, form.custom_id, form.values))

    async def get_form(self, request: web.Request) -> web.Response:
        """Answer with a form that is open on a user's screen."""
        user = self._people.user(int(request.query.get("as", "0")))
        return web.json_response(self._people.form(user, request.match_info["modal"]).written())

    async def send_form(self, request: web.Request) -> web.Response:
        """Submit a form; answer once the bot has answered."""
        form = await _parse(request, asked.SendForm)
        user = self._people.user(form.user)
        return _acknowledged(await self._people.send_form(user, form.modal_id, form.fields))

    async def speak(self, request: web.Request) -> web.Response:
        """Set a user's language and tell the pages that show it."""
        form = await _parse(request, asked.Speak)
        user = self._people.user(form.user)
        self._people.speak(user, form.locale)
        self._feed.tell(user.id, {"type": "locale", "locale": form.locale})
        return web.json_response({"ok": True})

    async def permit(self, request: web.Request) -> web.Response:
        """Grant permissions to a user, or refuse them; without a user, to the bot."""
        form = await _parse(request, asked.Permit)
        bot = self._world.bot
        holder = bot if form.user is None else self._people.user(form.user)
        for name, is_allowed in form.permissions.items():
            self._world.permit(holder.id, Permission[name.upper()], is_allowed=is_allowed)
        return web.json_response({"ok": True})

    async def write(self, request: web.Request) -> web.Response:
        """Send a message as a user."""
        form = await _parse(request, asked.Write)
        user = self._people.user(form.user)
        channel = self._people.channel(form.channel, user)
        message = await self._people.write(user, channel, form.content, form.uploads)
        return web.json_response(self._feed.shown(message))

    async def delete_message(self, request: web.Request) -> web.Response:
        """Delete a message as a user."""
        user = self._people.user(int(request.query.get("as", "0")))
        message = self._people.message(int(request.match_info["message"]), user)
        await self._people.delete(user, message)
        return web.json_response({"ok": True})

    async def advance(self, request: web.Request) -> web.Response:
        """Move the clock ahead."""
        form = await _parse(request, asked.Advance)
        self._clock.advance(form.advance_s)
        now = {"now": iso(self._clock.now()), "clock_offset_s": self._clock.offset_s}
        self._feed.tell_all({"type": "clock", **now})
        return web.json_response(now)

    async def order_fault(self, request: web.Request) -> web.Response:
        """Add a fault."""
        form = await _parse(request, asked.OrderFault)
        self._faults.add(Fault(**form.model_dump()))
        return web.json_response({"ok": True})

    async def clear_faults(self, request: web.Request) -> web.Response:
        """Remove all faults."""
        self._faults.clear()
        return web.json_response({"ok": True})

    async def disturb_gateway(self, request: web.Request) -> web.Response:
        """Drop the bot's connection, ask it to reconnect, or forget its session."""
        form = await _parse(request, asked.GatewayAction)
        match form.action:
            case "drop":
                await self._gateway.drop()
            case "reconnect":
                await self._gateway.ask_to_reconnect()
            case _:
                await self._gateway.invalidate()
        return web.json_response({"ok": True})


async def _push(queue: asyncio.Queue[Json | None], socket: web.WebSocketResponse) -> None:
    while (event := await queue.get()) is not None:
        await socket.send_str(json.dumps(event))
    await socket.close()


def _acknowledged(interaction: Interaction) -> web.Response:
    answer = answered(interaction)
    body: Json = {"ok": True, "interaction_id": str(interaction.id)}
    if answer.message_id is not None:
        body["message_id"] = str(answer.message_id)
    if answer.kind is AnswerKind.MODAL:
        body["modal_id"] = answer.modal_id
    return web.json_response(body)
