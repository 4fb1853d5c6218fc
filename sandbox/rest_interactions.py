"""REST endpoints of interactions: the first answer, follow-ups and edits by token."""

from contextlib import AbstractAsyncContextManager

from aiohttp import web

from sandbox.answers import json_answer
from sandbox.bodies import Body, BodyReader
from sandbox.command_rules import check_choices
from sandbox.conversation import Conversation, Sender
from sandbox.entities import Message, MessageFlag
from sandbox.errors import DiscordError, FormErrors, Json
from sandbox.interactions import Answer, AnswerKind, Interaction, InteractionKind, Interactions
from sandbox.modals import Modals
from sandbox.payloads import Payloads
from sandbox.rest import number
from sandbox.world import World

_CHAT_COMMAND_MESSAGE = 20
MOST_AUTOCOMPLETE = 25
_UPDATES = frozenset({AnswerKind.DEFERRED_UPDATE, AnswerKind.UPDATE})
_MESSAGES = frozenset({AnswerKind.MESSAGE, AnswerKind.DEFERRED_MESSAGE})
_ALLOWED: dict[InteractionKind, frozenset[AnswerKind]] = {
    InteractionKind.COMMAND: _MESSAGES | {AnswerKind.MODAL},
    InteractionKind.COMPONENT: _MESSAGES | _UPDATES | {AnswerKind.MODAL},
    InteractionKind.AUTOCOMPLETE: frozenset({AnswerKind.CHOICES}),
    InteractionKind.MODAL: _MESSAGES | _UPDATES,
}


class InteractionRest:
    """Handlers authorized by the interaction's token instead of the bot's."""

    def __init__(
        self,
        *,
        world: World,
        payloads: Payloads,
        conversation: Conversation,
        interactions: Interactions,
        modals: Modals,
        bodies: BodyReader,
    ) -> None:
        self._world = world
        self._payloads = payloads
        self._conversation = conversation
        self._interactions = interactions
        self._modals = modals
        self._bodies = bodies

    def routes(self, base: str) -> list[web.RouteDef]:
        """Return the routes to serve below a base path."""
        webhook = f"{base}/webhooks/{{application:\\d+}}/{{token}}"
        message = f"{webhook}/messages/{{message:@original|\\d+}}"
        return [
            web.post(f"{base}/interactions/{{interaction:\\d+}}/{{token}}/callback", self.answer),
            web.post(webhook, self.follow_up),
            web.get(message, self.get_message),
            web.patch(message, self.edit_message),
            web.delete(message, self.delete_message),
        ]

    async def answer(self, request: web.Request) -> web.Response:
        """Accept the first answer. A refused answer can be retried while there is time."""
        interaction = self._interactions.take(
            number(request, "interaction"), request.match_info["token"]
        )
        try:
            async with self._read(request) as body:
                answer = await self._first_answer(interaction, body)
        except BaseException:
            interaction.release()
            raise
        interaction.settle(answer)
        if request.query.get("with_response") not in ("1", "true"):
            return web.Response(status=204)
        return json_answer(self._callback_response(interaction))

    async def follow_up(self, request: web.Request) -> web.Response:
        """Send a follow-up. The first one after a deferred answer completes that answer instead."""
        interaction = self._interaction(request)
        async with self._read(request) as body:
            original = self._original(interaction)
            if original is not None and original.is_loading:
                message = await self._conversation.edit(original, body)
            else:
                self._interactions.count_follow_up(interaction)
                message = await self._send(interaction, body)
        return json_answer(self._payloads.message(message))

    async def get_message(self, request: web.Request) -> web.Response:
        """Answer with a message of the interaction."""
        message = self._message(request)
        return json_answer(self._payloads.message(message))

    async def edit_message(self, request: web.Request) -> web.Response:
        """Edit a message of the interaction, ephemeral ones included."""
        self._message(request)
        async with self._read(request) as body:
            edited = await self._conversation.edit(self._message(request), body)
        return json_answer(self._payloads.message(edited))

    async def delete_message(self, request: web.Request) -> web.Response:
        """Delete a message of the interaction."""
        await self._conversation.delete(self._message(request))
        return web.Response(status=204)

    async def _first_answer(self, interaction: Interaction, body: Body) -> Answer:
        kind = _answer_kind(body.payload, interaction)
        data = body.payload.get("data")
        data = data if isinstance(data, dict) else {}
        inner = Body(payload=data, files=body.files)
        match kind:
            case AnswerKind.MESSAGE:
                message = await self._send(interaction, inner)
                return Answer(kind=kind, message_id=message.id)
            case AnswerKind.DEFERRED_MESSAGE:
                sender = self._sender(interaction, data)
                message = await self._conversation.think(interaction.channel, sender=sender)
                return Answer(kind=kind, message_id=message.id)
            case AnswerKind.DEFERRED_UPDATE:
                return Answer(kind=kind, message_id=interaction.source_id)
            case AnswerKind.UPDATE:
                message = self._source(interaction)
                await self._conversation.edit(message, inner)
                return Answer(kind=kind, message_id=message.id)
            case AnswerKind.CHOICES:
                return Answer(kind=kind, choices=_choices(data))
            case AnswerKind.MODAL:
                return Answer(kind=kind, modal_id=self._modals.show(interaction, data))

    async def _send(self, interaction: Interaction, body: Body) -> Message:
        sender = self._sender(interaction, body.payload)
        return await self._conversation.send(interaction.channel, body, sender=sender)

    def _sender(self, interaction: Interaction, payload: Json) -> Sender:
        is_ephemeral = bool(_flags(payload) & MessageFlag.EPHEMERAL)
        is_command = interaction.kind is InteractionKind.COMMAND
        return Sender(
            user_id=self._world.bot.id,
            cause=interaction.cause,
            visible_to=interaction.user.id if is_ephemeral else None,
            kind=_CHAT_COMMAND_MESSAGE if is_command else 0,
        )

    def _source(self, interaction: Interaction) -> Message:
        message = self._world.messages.get(interaction.source_id or 0)
        if message is None:
            raise DiscordError(10008)
        return message

    def _interaction(self, request: web.Request) -> Interaction:
        if number(request, "application") != self._world.application_id:
            raise DiscordError(10015)
        return self._interactions.by_token(request.match_info["token"])

    def _original(self, interaction: Interaction) -> Message | None:
        if interaction.answer is None:
            return None
        return self._world.messages.get(interaction.answer.message_id or 0)

    def _message(self, request: web.Request) -> Message:
        interaction = self._interaction(request)
        wanted = request.match_info["message"]
        if wanted == "@original":
            message = self._original(interaction)
        else:
            message = self._world.messages.get(int(wanted))
            is_own = message is not None and (
                message.id == interaction.source_id
                or (message.cause is not None and message.cause.interaction_id == interaction.id)
            )
            message = message if is_own else None
        if message is None:
            raise DiscordError(10008)
        return message

    def _callback_response(self, interaction: Interaction) -> Json:
        message = self._original(interaction)
        answer = interaction.answer
        about: Json = {"id": str(interaction.id), "type": interaction.kind.value}
        if answer is None or message is None:
            return {"interaction": about}
        about |= {
            "response_message_id": str(message.id),
            "response_message_loading": message.is_loading,
            "response_message_ephemeral": message.is_ephemeral,
        }
        resource = {"type": answer.kind.value, "message": self._payloads.message(message)}
        return {"interaction": about, "resource": resource}

    def _read(self, request: web.Request) -> AbstractAsyncContextManager[Body]:
        limit = self._world.attachment_size_limit
        return self._bodies.read(request, file_limit_bytes=limit)


def _answer_kind(payload: Json, interaction: Interaction) -> AnswerKind:
    allowed = _ALLOWED[interaction.kind]
    if interaction.source_id is None:
        allowed = allowed - _UPDATES
    if payload.get("type") not in {kind.value for kind in allowed}:
        errors = FormErrors()
        message = f"Value must be one of {{{', '.join(str(k.value) for k in sorted(allowed))}}}."
        errors.add("type", "BASE_TYPE_CHOICES", message)
        errors.raise_if_any()
    return AnswerKind(payload["type"])


def _choices(data: Json) -> tuple[Json, ...]:
    errors = FormErrors()
    choices = errors.objects("data.choices", data.get("choices"), most=MOST_AUTOCOMPLETE)
    check_choices(errors, "data.choices", choices)
    errors.raise_if_any()
    return tuple(choices)


def _flags(payload: Json) -> int:
    flags = payload.get("flags")
    return flags if isinstance(flags, int) else 0
