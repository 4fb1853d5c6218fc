"""Determines where an interaction happened, and so where its reply is and who can edit it."""

from datetime import datetime, timedelta
from typing import Any

import discord

from bot.domain.job import Context, Membership, Reply

TOKEN_LIFETIME = timedelta(minutes=15)


def reply_of(interaction: discord.Interaction[Any], *, private: bool, now: datetime) -> Reply:
    """Return the reply that the interaction will get."""
    return Reply(
        channel_id=interaction.channel_id or 0,
        parent_channel_id=_parent_of(interaction.channel),
        context=context_of(interaction, private=private),
        application_id=interaction.application_id,
        guild_id=interaction.guild_id,
        token=interaction.token,
        # Measured by our own clock, which may differ from Discord's.
        token_expires_at=now + TOKEN_LIFETIME,
        size_limit_bytes=interaction.filesize_limit,
        locale=interaction.locale.value,
        is_user_install=interaction.guild_id is not None and not interaction.is_guild_integration(),
    )


def context_of(interaction: discord.Interaction[Any], *, private: bool) -> Context:
    """Return which of the six contexts the reply is in.

    A private reply counts as ephemeral, because the bot's token cannot reach it. The bot's own DM
    is an exception, since everything there is private.
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
    """Return the caller's membership in the server; None outside servers."""
    if interaction.guild_id is None:
        return None
    return membership_in(interaction.guild_id, interaction.user)


def membership_in(guild_id: int, user: discord.User | discord.Member) -> Membership:
    """Return a user's membership in a server, without roles if they are not a member."""
    roles = [role.id for role in user.roles] if isinstance(user, discord.Member) else []
    # The `@everyone` role has the server's own id, and Discord does not list it.
    return Membership(guild_id=guild_id, role_ids=tuple(sorted({guild_id, *roles})))


def _parent_of(channel: object) -> int | None:
    return channel.parent_id if isinstance(channel, discord.Thread) else None
