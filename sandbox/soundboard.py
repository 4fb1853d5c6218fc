"""A server's soundboard, on which the bot adds, lists and deletes sounds by Discord's rules.

https://docs.discord.com/developers/resources/soundboard
"""

import asyncio
import base64
import binascii
import re

from sandbox.entities import Guild, Permission, Sound
from sandbox.errors import DiscordError, FormErrors, Json
from sandbox.gateway import Gateway
from sandbox.gateway_session import Intent
from sandbox.media import MediaStore
from sandbox.page_feed import PageFeed
from sandbox.payloads import Payloads
from sandbox.sound_files import read_sound
from sandbox.world import World

LARGEST_BYTES = 512 * 1024
LONGEST_S = 5.2
_DATA_URI = re.compile(r"data:audio/[\w.+-]+;base64,(?P<data>[A-Za-z0-9+/=]*)")
_EITHER = Permission.CREATE_GUILD_EXPRESSIONS | Permission.MANAGE_GUILD_EXPRESSIONS


class Soundboard:
    """Adds and deletes sounds, and tells the bot and the pages."""

    def __init__(
        self,
        *,
        world: World,
        media: MediaStore,
        payloads: Payloads,
        gateway: Gateway,
        feed: PageFeed,
    ) -> None:
        self._world = world
        self._media = media
        self._payloads = payloads
        self._gateway = gateway
        self._feed = feed

    def listed(self, guild: Guild) -> list[Json]:
        """Return a server's sounds."""
        return [self.written(guild, sound) for sound in self._world.sounds_of(guild.id)]

    def written(self, guild: Guild, sound: Sound) -> Json:
        """Return a sound, with its creator if the bot may create or manage expressions."""
        return self._payloads.sound(sound, with_user=bool(self._held(guild) & _EITHER))

    def find(self, guild: Guild, sound_id: int) -> Sound:
        """Return a server's sound; raise `10097` if there is none."""
        sound = self._world.sounds.get(sound_id)
        if sound is None or sound.guild_id != guild.id:
            raise DiscordError(10097)
        return sound

    async def add(self, guild: Guild, body: Json) -> Sound:
        """Add a sound; raise `50013`, `50035`, or `30045` when every slot is taken."""
        self._require(guild, Permission.CREATE_GUILD_EXPRESSIONS)
        errors = FormErrors()
        name = errors.text("name", body.get("name"), longest=32, shortest=2)
        volume = errors.fraction("volume", body.get("volume"))
        content, content_type = await _sound_in(errors, body.get("sound"))
        errors.raise_if_any()
        if len(self._world.sounds_of(guild.id)) >= self._world.soundboard_slots:
            message = (
                f"Maximum number of soundboard sounds reached ({self._world.soundboard_slots})"
            )
            raise DiscordError(30045, message=message)
        sound = Sound(
            id=self._world.snowflakes.next(),
            guild_id=guild.id,
            name=name,
            volume=1.0 if volume is None else volume,
            emoji_id=_text(body.get("emoji_id")),
            emoji_name=_text(body.get("emoji_name")),
            creator_id=self._world.bot.id,
            content_type=content_type,
            path=self._media.new_path(),
        )
        sound.path.write_bytes(content)
        self._world.sounds[sound.id] = sound
        await self._tell("GUILD_SOUNDBOARD_SOUND_CREATE", guild, self.written(guild, sound))
        return sound

    async def delete(self, guild: Guild, sound: Sound) -> None:
        """Delete a sound; raise `50013` if the bot may not delete sounds of this creator."""
        is_own = sound.creator_id == self._world.bot.id
        self._require(guild, _EITHER if is_own else Permission.MANAGE_GUILD_EXPRESSIONS)
        del self._world.sounds[sound.id]
        sound.path.unlink(missing_ok=True)
        about = {"sound_id": str(sound.id), "guild_id": str(guild.id)}
        await self._tell("GUILD_SOUNDBOARD_SOUND_DELETE", guild, about)

    def _held(self, guild: Guild) -> int:
        return guild.permissions_of(self._world.bot.id)

    def _require(self, guild: Guild, any_of: int) -> None:
        if not self._held(guild) & any_of:
            raise DiscordError(50013)

    async def _tell(self, event: str, guild: Guild, data: Json) -> None:
        self._feed.tell_all({"type": "sounds"})
        await self._gateway.dispatch(
            event, data, guild_id=guild.id, intent=Intent.GUILD_EXPRESSIONS
        )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


async def _sound_in(errors: FormErrors, value: object) -> tuple[bytes, str]:
    """Return a data URI's file and its type; add errors of format, size and length to `errors`."""
    uri = _DATA_URI.fullmatch(value) if isinstance(value, str) else None
    try:
        content = b"" if uri is None else base64.b64decode(uri["data"], validate=True)
    except binascii.Error:
        content = b""
    if len(content) > LARGEST_BYTES:
        message = f"File cannot be larger than {LARGEST_BYTES / 1024} kb."
        errors.add("sound", "BINARY_TYPE_MAX_SIZE", message)
        return content, ""
    sound = await asyncio.to_thread(read_sound, content)
    if sound is None:
        errors.add("sound", "BINARY_TYPE_INVALID", "Must be a data URI of an MP3 or Ogg file.")
        return content, ""
    if sound.duration_s > LONGEST_S:
        # Discord documents the limit, but not the code of its error.
        message = f"The sound cannot be longer than {LONGEST_S} seconds."
        errors.add("sound", "SOUND_TYPE_MAX_DURATION", message)
    return content, sound.content_type
