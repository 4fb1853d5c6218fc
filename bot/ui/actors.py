"""Determines the caller's rank where they act; services decide what it allows."""

from typing import Any

import discord

from bot.domain.guilds import Actor, Rank
from bot.domain.job import UserId

_TEAM_ROLES = frozenset({discord.TeamMemberRole.admin, discord.TeamMemberRole.developer})


def actor_of(interaction: discord.Interaction[Any]) -> Actor:
    """Return the caller with their rank.

    The rank follows from the permissions that come with the interaction, since managers can change
    who sees a command. The application's team is the one read at login.
    """
    return Actor(
        user_id=UserId(interaction.user.id),
        rank=_rank_of(interaction),
        guild_id=interaction.guild_id,
    )


def manages_guild(interaction: discord.Interaction[Any]) -> bool:
    """Whether the caller manages the server in which they act.

    This includes the server's owner, its administrators, and everyone with `Manage Server`.
    """
    if interaction.guild_id is None:
        return False
    allowed, guild = interaction.permissions, interaction.guild
    owns = guild is not None and guild.owner_id == interaction.user.id
    return allowed.manage_guild or allowed.administrator or owns


def may_create_expressions(interaction: discord.Interaction[Any]) -> bool:
    """Whether the caller may add emojis, stickers and sounds to the server in which they act."""
    if interaction.guild_id is None:
        return False
    allowed = interaction.permissions
    return allowed.create_expressions or allowed.administrator


def owner_ids(application: discord.AppInfo) -> frozenset[int]:
    """Return the owner of the application, or the members of its team who may manage it."""
    team = application.team
    if team is None:
        return frozenset({application.owner.id})
    return frozenset(
        member.id
        for member in team.members
        if member.membership_state is discord.TeamMembershipState.accepted
        and (member.role in _TEAM_ROLES or member.id == team.owner_id)
    )


def _rank_of(interaction: discord.Interaction[Any]) -> Rank:
    application = interaction.client.application
    if application is not None and interaction.user.id in owner_ids(application):
        return Rank.OWNER
    return Rank.MANAGER if manages_guild(interaction) else Rank.MEMBER
