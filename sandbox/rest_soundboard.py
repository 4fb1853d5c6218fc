"""The REST API of a server's soundboard, used with the bot's token."""

from aiohttp import web

from sandbox.answers import json_answer
from sandbox.bodies import BodyReader
from sandbox.entities import Guild
from sandbox.errors import DiscordError
from sandbox.rest import Authorizer, number
from sandbox.soundboard import Soundboard
from sandbox.world import World


class SoundboardRest:
    """Handlers for sounds; each checks first that the bot is in the server."""

    def __init__(
        self,
        *,
        world: World,
        soundboard: Soundboard,
        bodies: BodyReader,
        authorizer: Authorizer,
    ) -> None:
        self._world = world
        self._soundboard = soundboard
        self._bodies = bodies
        self._authorizer = authorizer

    def routes(self, base: str) -> list[web.RouteDef]:
        """Return the routes to serve below a base path."""
        sounds = f"{base}/guilds/{{guild:\\d+}}/soundboard-sounds"
        sound = f"{sounds}/{{sound:\\d+}}"
        return [
            web.get(sounds, self.list_sounds),
            web.post(sounds, self.add_sound),
            web.get(sound, self.get_sound),
            web.delete(sound, self.delete_sound),
        ]

    async def list_sounds(self, request: web.Request) -> web.Response:
        """Answer with a server's sounds."""
        return json_answer({"items": self._soundboard.listed(self._guild(request))})

    async def add_sound(self, request: web.Request) -> web.Response:
        """Add a sound."""
        guild = self._guild(request)
        limit = self._world.attachment_size_limit
        async with self._bodies.read(request, file_limit_bytes=limit) as body:
            sound = await self._soundboard.add(guild, body.payload)
        return json_answer(self._soundboard.written(guild, sound), status=201)

    async def get_sound(self, request: web.Request) -> web.Response:
        """Answer with a sound."""
        guild = self._guild(request)
        sound = self._soundboard.find(guild, number(request, "sound"))
        return json_answer(self._soundboard.written(guild, sound))

    async def delete_sound(self, request: web.Request) -> web.Response:
        """Delete a sound."""
        guild = self._guild(request)
        await self._soundboard.delete(guild, self._soundboard.find(guild, number(request, "sound")))
        return web.Response(status=204)

    def _guild(self, request: web.Request) -> Guild:
        self._authorizer.check(request)
        guild = self._world.guilds.get(number(request, "guild"))
        if guild is None or not guild.has_bot:
            raise DiscordError(10004)
        return guild
