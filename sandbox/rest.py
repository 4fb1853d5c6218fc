"""REST endpoints of the application: its user, gateway, commands, DM channels and servers."""

import json
from collections.abc import Collection

from aiohttp import web

from sandbox.answers import json_answer
from sandbox.bodies import BodyReader
from sandbox.command_rules import CHAT_INPUT, check_commands
from sandbox.errors import DiscordError, FormErrors, Json
from sandbox.gateway import Gateway
from sandbox.media import MediaStore
from sandbox.page_feed import PageFeed
from sandbox.payloads import Payloads
from sandbox.world import World

MOST_REFRESHED = 50


def number(request: web.Request, name: str) -> int:
    """Return an id from the path. Routes match digits only."""
    return int(request.match_info[name])


class Authorizer:
    """Checks the bot's tokens."""

    def __init__(self, *, tokens: Collection[str]) -> None:
        self._tokens = tokens

    def check(self, request: web.Request) -> None:
        """Raise a 401 unless the request carries a bot token."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bot" or token not in self._tokens:
            raise DiscordError(0, status=401, message="401: Unauthorized")


class ApplicationRest:
    """Handlers of all endpoints except messages and interactions."""

    def __init__(
        self,
        *,
        world: World,
        payloads: Payloads,
        gateway: Gateway,
        media: MediaStore,
        feed: PageFeed,
        bodies: BodyReader,
        authorizer: Authorizer,
    ) -> None:
        self._world = world
        self._payloads = payloads
        self._gateway = gateway
        self._media = media
        self._feed = feed
        self._bodies = bodies
        self._authorizer = authorizer

    def routes(self, base: str) -> list[web.RouteDef]:
        """Return the routes to serve below a base path."""
        commands = f"{base}/applications/{{application:\\d+}}/commands"
        guild_commands = f"{base}/applications/{{application:\\d+}}/guilds/{{guild:\\d+}}/commands"
        guild = f"{base}/guilds/{{guild:\\d+}}"
        return [
            web.get(f"{base}/users/@me", self.get_me),
            web.get(f"{base}/users/@me/guilds", self.get_guilds),
            web.get(f"{base}/users/{{user:\\d+}}", self.get_user),
            web.post(f"{base}/users/@me/channels", self.open_dm),
            web.get(f"{base}/oauth2/applications/@me", self.get_application),
            web.get(f"{base}/applications/@me", self.get_application),
            web.get(f"{base}/gateway/bot", self.get_gateway),
            web.get(commands, self.get_commands),
            web.put(commands, self.put_commands),
            web.get(guild_commands, self.get_commands),
            web.put(guild_commands, self.put_commands),
            web.get(guild, self.get_guild),
            web.get(f"{guild}/members/{{user:\\d+}}", self.get_member),
            web.post(f"{base}/attachments/refresh-urls", self.refresh_urls),
        ]

    async def get_me(self, request: web.Request) -> web.Response:
        """Answer with the bot's user."""
        self._authorizer.check(request)
        return json_answer(self._payloads.user(self._world.bot))

    async def get_guilds(self, request: web.Request) -> web.Response:
        """Answer with the bot's servers whose ids are greater than `after`."""
        self._authorizer.check(request)
        after = int(request.query.get("after", "0"))
        guilds = [each for each in self._world.guilds.values() if each.has_bot and each.id > after]
        return json_answer([{"id": str(each.id), "name": each.name} for each in guilds])

    async def get_user(self, request: web.Request) -> web.Response:
        """Answer with a user."""
        self._authorizer.check(request)
        user = self._world.users.get(number(request, "user"))
        if user is None:
            raise DiscordError(10013)
        return json_answer(self._payloads.user(user))

    async def open_dm(self, request: web.Request) -> web.Response:
        """Answer with the DM channel between the bot and a user."""
        payload = await self._read(request)
        recipient = str(payload.get("recipient_id"))
        channel = self._world.bot_dm(int(recipient) if recipient.isdecimal() else 0)
        return json_answer(self._payloads.channel(channel))

    async def get_application(self, request: web.Request) -> web.Response:
        """Answer with the application and its owner."""
        self._authorizer.check(request)
        return json_answer(self._payloads.application())

    async def get_gateway(self, request: web.Request) -> web.Response:
        """Answer with the gateway's address and the remaining session starts."""
        self._authorizer.check(request)
        limit = {
            "total": 1000,
            "remaining": max(0, 1000 - self._gateway.identifies),
            "reset_after": 86_400_000,
            "max_concurrency": self._gateway.max_concurrency,
        }
        return json_answer(
            {
                "url": self._gateway.address,
                "shards": self._gateway.shards,
                "session_start_limit": limit,
            }
        )

    async def get_commands(self, request: web.Request) -> web.Response:
        """Answer with the registered commands."""
        self._authorizer.check(request)
        return json_answer(self._world.commands[self._scope(request)])

    async def put_commands(self, request: web.Request) -> web.Response:
        """Replace all commands. Commands that were already registered keep their ids."""
        self._authorizer.check(request)
        scope = self._scope(request)
        wanted = _command_list(await request.read())
        check_commands(wanted)
        known = {_identity(command): command["id"] for command in self._world.commands[scope]}
        registered = []
        for command in wanted:
            command_id = known.get(_identity(command)) or str(self._world.snowflakes.next())
            registered.append(self._registered(command, command_id, scope))
        self._world.commands[scope] = registered
        self._feed.tell_all({"type": "commands", "commands": registered})
        return json_answer(registered)

    async def get_guild(self, request: web.Request) -> web.Response:
        """Answer with a server that the bot is in."""
        self._authorizer.check(request)
        guild = self._world.guilds.get(number(request, "guild"))
        if guild is None or not guild.has_bot:
            raise DiscordError(10004)
        return json_answer(self._payloads.guild(guild))

    async def get_member(self, request: web.Request) -> web.Response:
        """Answer with a member of a server that the bot is in."""
        self._authorizer.check(request)
        guild = self._world.guilds.get(number(request, "guild"))
        if guild is None or not guild.has_bot:
            raise DiscordError(10004)
        user_id = number(request, "user")
        if user_id not in guild.members:
            raise DiscordError(10007)
        return json_answer(self._payloads.member(guild, user_id))

    async def refresh_urls(self, request: web.Request) -> web.Response:
        """Answer with freshly signed addresses of files."""
        payload = await self._read(request)
        addresses = payload.get("attachment_urls")
        if not isinstance(addresses, list) or not 1 <= len(addresses) <= MOST_REFRESHED:
            errors = FormErrors()
            message = f"Must be between 1 and {MOST_REFRESHED} in length."
            errors.add("attachment_urls", "BASE_TYPE_BAD_LENGTH", message)
            errors.raise_if_any()
            addresses = []
        fresh = [
            {"original": address, "refreshed": self._media.refreshed(str(address))}
            for address in addresses
        ]
        return json_answer({"refreshed_urls": fresh})

    async def _read(self, request: web.Request) -> Json:
        self._authorizer.check(request)
        limit = self._world.attachment_size_limit
        async with self._bodies.read(request, file_limit_bytes=limit) as body:
            return body.payload

    def _scope(self, request: web.Request) -> int | None:
        if number(request, "application") != self._world.application_id:
            raise DiscordError(10002)
        if "guild" not in request.match_info:
            return None
        guild_id = number(request, "guild")
        if guild_id not in self._world.commands:
            raise DiscordError(50001)
        return guild_id

    def _registered(self, command: Json, command_id: str, scope: int | None) -> Json:
        registered = {
            "description": "",
            "type": CHAT_INPUT,
            "default_member_permissions": None,
            "nsfw": False,
            **command,
            "id": command_id,
            "application_id": str(self._world.application_id),
            "version": str(self._world.snowflakes.next()),
        }
        permissions = registered["default_member_permissions"]
        if permissions is not None:
            registered["default_member_permissions"] = str(permissions)
        return registered if scope is None else {**registered, "guild_id": str(scope)}


def _identity(command: Json) -> tuple[int, str]:
    return command.get("type", CHAT_INPUT), command["name"]


def _command_list(raw: bytes) -> list[Json]:
    try:
        parsed = json.loads(raw)
    except ValueError as exc:
        raise DiscordError(50109) from exc
    if not isinstance(parsed, list) or not all(isinstance(item, dict) for item in parsed):
        raise DiscordError(50109)
    return parsed
