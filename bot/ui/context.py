"""Where an interaction happened, and so where its reply will stand and who may edit it."""

from datetime import datetime, timedelta
from typing import Any

import discord

from bot.domain.job import Context, Membership, Reply

TOKEN_LIFETIME = timedelta(minutes=15)


def reply_of(interaction: discord.Interaction[Any], *, private: bool, now: datetime) -> Reply:
    """Describe the reply that this interaction will get."""
    return Reply(
        channel_id=interaction.channel_id or 0,
        parent_channel_id=_parent_of(interaction.channel),
        context=context_of(interaction, private=private),
        application_id=interaction.application_id,
        guild_id=interaction.guild_id,
        token=interaction.token,
        # By our own clock, which may differ from Discord's.
        token_expires_at=now + TOKEN_LIFETIME,
        size_limit_bytes=interaction.filesize_limit,
        locale=interaction.locale.value,
    )


def context_of(interaction: discord.Interaction[Any], *, private: bool) -> Context:
    """Tell the six contexts apart.

    A private reply is out of the bot token's reach wherever it stands, so it counts as ephemeral
    in all of them but the bot's own DM, which is private anyway.
    """
    if interaction.guild_id is not None:
        if private:
            return Context.GUILD_EPHEMERAL
        is_member = interaction.is_guild_integration() and interaction.channel_id is not None
        return Context.GUILD if is_member else Context.GUILD_USER_INSTALL
    if interaction.context.dm_channel:
        return Context.BOT_DM
    if private:
        return Context.GUILD_EPHEMERAL
    if isinstance(interaction.channel, discord.GroupChannel):
        return Context.GROUP_DM
    return Context.PRIVATE_DM


def membership_of(interaction: discord.Interaction[Any]) -> Membership | None:
    """Return the caller's place in the server; None outside of servers."""
    if interaction.guild_id is None:
        return None
    return membership_in(interaction.guild_id, interaction.user)


def membership_in(guild_id: int, user: discord.User | discord.Member) -> Membership:
    """Return somebody's place in a server; one who is not in it has none of its roles."""
    roles = [role.id for role in user.roles] if isinstance(user, discord.Member) else []
    # The role of everybody has the server's own id; Discord does not list it.
    return Membership(guild_id=guild_id, role_ids=tuple(sorted({guild_id, *roles})))


def _parent_of(channel: object) -> int | None:
    return channel.parent_id if isinstance(channel, discord.Thread) else None
