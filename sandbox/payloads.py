"""Converts the world's entities to Discord's JSON, for REST responses and gateway events."""

from sandbox.clock import iso
from sandbox.entities import (
    Attachment,
    Cause,
    Channel,
    ChannelKind,
    Guild,
    Message,
    Role,
    Sound,
    User,
)
from sandbox.errors import Json
from sandbox.filenames import cleansed
from sandbox.media import MediaStore
from sandbox.world import World

_REFERENCE = "attachment://"


class Payloads:
    """Builds JSON objects. File addresses get a fresh signature each time."""

    def __init__(self, *, world: World, media: MediaStore) -> None:
        self._world = world
        self._media = media

    def application(self) -> Json:
        """Return the application."""
        return {
            "id": str(self._world.application_id),
            "name": self._world.bot.name,
            "icon": None,
            "description": "",
            "bot_public": True,
            "bot_require_code_grant": False,
            "owner": self.user(self._world.owner),
            "team": None,
            "verify_key": "0" * 64,
            "flags": 0,
            "bot": self.user(self._world.bot),
            "integration_types_config": {"0": {}, "1": {}},
        }

    def user(self, user: User) -> Json:
        """Return a user."""
        return {
            "id": str(user.id),
            "username": user.name if user.is_bot else user.name.lower(),
            "discriminator": "0000" if user.is_bot else "0",
            "global_name": None if user.is_bot else user.name,
            "avatar": None,
            "bot": user.is_bot,
            "public_flags": 0,
        }

    def member(self, guild: Guild, user_id: int, *, with_permissions: bool = False) -> Json:
        """Return a server's member. Only interactions include permissions."""
        member: Json = {
            "user": self.user(self._world.users[user_id]),
            "nick": None,
            "avatar": None,
            "roles": [str(role_id) for role_id in guild.members[user_id]],
            "joined_at": iso(self._world.clock.now()),
            "premium_since": None,
            "deaf": False,
            "mute": False,
            "pending": False,
            "flags": 0,
        }
        if with_permissions:
            member["permissions"] = str(guild.permissions_of(user_id))
        return member

    def role(self, role: Role) -> Json:
        """Return a role."""
        return {
            "id": str(role.id),
            "name": role.name,
            "permissions": str(role.permissions),
            "position": role.position,
            "color": 0,
            "hoist": False,
            "managed": False,
            "mentionable": False,
            "flags": 0,
        }

    def guild(self, guild: Guild) -> Json:
        """Return a server as in GUILD_CREATE."""
        channels = [c for c in self._world.channels.values() if c.guild_id == guild.id]
        return {
            "id": str(guild.id),
            "name": guild.name,
            "owner_id": str(guild.owner_id),
            "unavailable": False,
            "icon": None,
            "features": [],
            "emojis": [],
            "stickers": [],
            "soundboard_sounds": [self.sound(sound) for sound in self._world.sounds_of(guild.id)],
            "verification_level": 0,
            "default_message_notifications": 1,
            "explicit_content_filter": 0,
            "mfa_level": 0,
            "nsfw_level": 0,
            "premium_tier": 0,
            "preferred_locale": "en-US",
            "member_count": len(guild.members),
            "large": False,
            "roles": [self.role(role) for role in guild.roles],
            "channels": [self.channel(channel) for channel in channels if channel.bot_can_view],
            "members": [self.member(guild, self._world.bot.id)],
            "threads": [],
            "voice_states": [],
            "presences": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
        }

    def channel(self, channel: Channel) -> Json:
        """Return a channel. Outside servers, `guild_id` is absent rather than null."""
        if channel.guild_id is not None:
            return {
                "id": str(channel.id),
                "type": channel.kind.value,
                "guild_id": str(channel.guild_id),
                "name": channel.name,
                "position": 0,
                "nsfw": False,
                "permission_overwrites": [],
                "rate_limit_per_user": 0,
                "parent_id": None,
                "last_message_id": None,
                "flags": 0,
            }
        members = [self._world.users[user_id] for user_id in channel.member_ids]
        payload: Json = {
            "id": str(channel.id),
            "type": channel.kind.value,
            "recipients": [self.user(user) for user in members if not user.is_bot],
            "last_message_id": None,
            "flags": 0,
        }
        if channel.kind is ChannelKind.GROUP:
            payload |= {"name": channel.name, "icon": None, "owner_id": str(members[0].id)}
        return payload

    def sound(self, sound: Sound, *, with_user: bool = False) -> Json:
        """Return a sound of a soundboard."""
        payload: Json = {
            "sound_id": str(sound.id),
            "guild_id": str(sound.guild_id),
            "name": sound.name,
            "volume": sound.volume,
            "emoji_id": sound.emoji_id,
            "emoji_name": sound.emoji_name,
            "available": True,
        }
        if with_user:
            payload["user"] = self.user(self._world.users[sound.creator_id])
        return payload

    def attachment(self, attachment: Attachment) -> Json:
        """Return a file."""
        url = self._media.url(attachment)
        payload: Json = {
            "id": str(attachment.id),
            "filename": attachment.filename,
            "size": attachment.size_bytes,
            "url": url,
            "proxy_url": url,
            "content_type": attachment.content_type,
            "flags": 0,
        }
        optional = {
            "title": attachment.title,
            "description": attachment.description,
            "width": attachment.width,
            "height": attachment.height,
            "ephemeral": attachment.is_ephemeral or None,
        }
        return payload | {name: value for name, value in optional.items() if value is not None}

    def message(self, message: Message) -> Json:
        """Return a message without `guild_id`, which only gateway events have."""
        embeds, shown = self.embeds_and_files(message)
        payload: Json = {
            "id": str(message.id),
            "channel_id": str(message.channel_id),
            "type": message.kind,
            "author": self.user(self._world.users[message.author_id]),
            "content": message.content,
            "timestamp": iso(message.created_at),
            "edited_timestamp": None if message.edited_at is None else iso(message.edited_at),
            "flags": message.flags,
            "tts": False,
            "pinned": False,
            "mention_everyone": False,
            "mentions": [],
            "mention_roles": [],
            "embeds": embeds,
            "attachments": [self.attachment(attachment) for attachment in shown],
            "components": list(message.components),
        }
        if message.cause is not None:
            payload |= self._cause(message.cause)
        if message.reply_to is not None:
            payload |= self._reference(message.channel_id, message.reply_to)
        if message.snapshot is not None:
            payload |= self._forward(message.snapshot)
        return payload

    def embeds_and_files(self, message: Message) -> tuple[list[Json], list[Attachment]]:
        """Resolve `attachment://` in embeds, and list only the other files as attachments.

        A file that an edit no longer refers to is listed again (discord-api-docs issue 1340), and a
        reference to a missing file leaves the embed without a picture.
        """
        files = {attachment.filename: attachment for attachment in message.attachments}
        used: set[int] = set()
        embeds = []
        for embed in message.embeds:
            resolved = dict(embed)
            for place in ("image", "thumbnail"):
                url = str((embed.get(place) or {}).get("url", ""))
                if not url.startswith(_REFERENCE):
                    continue
                found = files.get(cleansed(url.removeprefix(_REFERENCE)))
                del resolved[place]
                if found is not None:
                    resolved[place] = self._picture(found)
                    used.add(found.id)
            embeds.append({"type": "rich", **resolved})
        return embeds, [a for a in message.attachments if a.id not in used]

    def _picture(self, attachment: Attachment) -> Json:
        url = self._media.url(attachment)
        size = {"width": attachment.width or 0, "height": attachment.height or 0}
        return {"url": url, "proxy_url": url, **size}

    def _cause(self, cause: Cause) -> Json:
        user = self.user(self._world.users[cause.user_id])
        known = {"id": str(cause.interaction_id), "type": cause.kind, "user": user}
        return {
            "application_id": str(self._world.application_id),
            "webhook_id": str(self._world.application_id),
            "interaction_metadata": {**known, "authorizing_integration_owners": cause.owners},
            "interaction": {**known, "name": cause.name},
        }

    def _forward(self, snapshot: Message) -> Json:
        kept = ("type", "content", "timestamp", "edited_timestamp", "flags", "embeds")
        whole = self.message(snapshot)
        shown = {name: whole[name] for name in (*kept, "attachments", "components", "mentions")}
        origin = {"message_id": whole["id"], "channel_id": whole["channel_id"]}
        return {
            "message_reference": {"type": 1, **origin},
            "message_snapshots": [{"message": shown}],
        }

    def _reference(self, channel_id: int, message_id: int) -> Json:
        target = self._world.messages.get(message_id)
        return {
            "message_reference": {
                "type": 0,
                "message_id": str(message_id),
                "channel_id": str(channel_id),
            },
            "referenced_message": None if target is None else self.message(target),
        }
