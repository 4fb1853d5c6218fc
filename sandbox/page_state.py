"""The world as the page sees it: users, channels, commands, sounds and stand-in vendors."""

from sandbox.clock import SandboxClock, iso
from sandbox.entities import Channel, ChannelKind, Sound, User
from sandbox.errors import Json
from sandbox.locales import LOCALES
from sandbox.media import MediaStore
from sandbox.vendors.vendor_set import Vendors
from sandbox.world import World

_KINDS = {ChannelKind.TEXT: "text", ChannelKind.DM: "dm", ChannelKind.GROUP: "group"}


class PageState:
    """Writes everything that the page shows, except messages."""

    def __init__(
        self,
        *,
        world: World,
        clock: SandboxClock,
        media: MediaStore,
        vendors: Vendors,
        is_cluster: bool,
    ) -> None:
        self._world = world
        self._clock = clock
        self._media = media
        self._vendors = vendors
        self._is_cluster = is_cluster

    def written(self) -> Json:
        """Return the state as JSON."""
        world = self._world
        guild = next(iter(world.guilds.values()))
        bot = world.bot
        return {
            "now": iso(self._clock.now()),
            "clock_offset_s": self._clock.offset_s,
            "users": [_person(user) for user in world.people],
            "locales": LOCALES,
            "guild": {"id": str(guild.id), "name": guild.name},
            "channels": [self._channel(channel) for channel in world.channels.values()],
            "bot": {"id": str(bot.id), "name": bot.name, "online": world.bot_is_online},
            "commands": [*world.commands[None], *world.commands[guild.id]],
            "sounds": [self._sound(sound) for sound in world.sounds_of(guild.id)],
            "attachment_size_limit": world.attachment_size_limit,
            "vendors": self._vendors.listed(),
            "cluster": self._is_cluster,
        }

    def _channel(self, channel: Channel) -> Json:
        written = {"id": str(channel.id), "name": channel.name, "kind": _KINDS[channel.kind]}
        others = [user_id for user_id in channel.member_ids if user_id != self._world.bot.id]
        return written | ({"user_id": str(others[0])} if others else {})

    def _sound(self, sound: Sound) -> Json:
        return {
            "id": str(sound.id),
            "name": sound.name,
            "emoji": sound.emoji_name,
            "volume": sound.volume,
            "creator": self._world.users[sound.creator_id].name,
            "url": f"{self._media.base_url}/soundboard-sounds/{sound.id}",
        }


def _person(user: User) -> Json:
    return {
        "id": str(user.id),
        "name": user.name,
        "avatar_color": user.avatar_color,
        "is_owner": user.is_owner,
        "locale": user.locale,
    }
