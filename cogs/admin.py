"""`/admin`: decisions by the owner and server managers, and the owner's statistics.

Discord shows the command to server managers, but permissions are checked again on every use.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import Choice, locale_str

from bot.domain.errors import Reason, Rejected
from bot.domain.guilds import DeliveryMode, RulesChange
from bot.domain.job import UserId
from bot.domain.recipes import AudioFormat, Recipe
from bot.i18n.translation import gettext
from bot.ui.actors import actor_of
from bot.ui.cards.card import Card, Tone
from bot.ui.commands.channel_option import ChannelOption
from bot.ui.commands.choices import MAX_CHOICES, format_choices, recipe_choices
from bot.ui.commands.command_options import OfferingCog, offered_command
from bot.ui.components.rendering import embed_of
from bot.ui.context import membership_in
from bot.ui.error_answers import say_privately
from bot.ui.services import Services
from bot.ui.texts import admin_texts
from bot.ui.texts.safe_text import safe, shortened

Interaction = discord.Interaction[Any]
_SNOWFLAKE = re.compile(r"[0-9]{15,20}")
Minutes = app_commands.Range[int, 0, 1_000_000]
SomeMinutes = app_commands.Range[int, 1, 1_000_000]


class AdminCog(OfferingCog):
    """Passes each decision to the services, together with the user who made it."""

    admin = app_commands.Group(
        name="admin",
        description=locale_str("Manage quotas, blocks and defaults"),
        default_permissions=discord.Permissions(manage_guild=True),
        allowed_contexts=app_commands.AppCommandContext(
            guild=True, dm_channel=True, private_channel=False
        ),
        allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
    )
    quota = app_commands.Group(
        name="quota", description=locale_str("Manage how many minutes people have"), parent=admin
    )

    def __init__(self, services: Services) -> None:
        use_cases = services.use_cases
        self._administration = use_cases.administration
        self._overview = use_cases.overview
        self._quotas = use_cases.quotas
        self._splits = use_cases.splits

    def option_choices(self) -> Mapping[str, Sequence[Choice[str]]]:
        """Limit the choices to what this installation supports."""
        return {
            "stems": recipe_choices(self._splits.offers()),
            "format": format_choices(self._splits.formats),
            "delivery": [
                Choice(name=locale_str(words.english), value=mode.value)
                for mode, words in admin_texts.DELIVERY.items()
            ],
        }

    @quota.command(
        name="set", description=locale_str("Set how many minutes a person or a role has")
    )
    @app_commands.describe(
        minutes=locale_str("Minutes per period; leave empty to go back to what everyone has"),
        user=locale_str("A person"),
        role=locale_str("Everyone with this role; a person's highest role counts"),
    )
    async def set_quota(
        self,
        interaction: Interaction,
        minutes: Minutes | None = None,
        user: discord.User | None = None,
        role: discord.Role | None = None,
    ) -> None:
        """Set an allowance. A manager can only lower it."""
        await interaction.response.defer(ephemeral=True)
        actor = actor_of(interaction)
        if user is not None and role is None:
            guild_id = interaction.guild_id
            membership = None if guild_id is None else membership_in(guild_id, user)
            await self._administration.set_user(actor, UserId(user.id), minutes, membership)
            who, text = user.mention, admin_texts.ALLOWED
        elif role is not None and user is None:
            await self._administration.set_role(actor, role.id, minutes)
            who, text = role.mention, admin_texts.ALLOWED_ROLE
        else:
            raise Rejected(Reason.ONE_OF_TWO)
        if minutes is None:
            text = admin_texts.UNSET
        elif not actor.is_owner:
            text = admin_texts.LIMITED
        await say_privately(interaction, gettext(text, who=who, minutes=minutes))

    @quota.command(name="grant", description=locale_str("Give extra minutes until the period ends"))
    @app_commands.describe(
        minutes=locale_str("How many"),
        user=locale_str("Who gets them; the owner can leave this empty to fill a server's pool"),
        server=locale_str("Whose pool; leave empty for this server's"),
    )
    async def grant(
        self,
        interaction: Interaction,
        minutes: SomeMinutes,
        user: discord.User | None = None,
        server: app_commands.Range[str, 1, 100] | None = None,
    ) -> None:
        """Give minutes: the owner to any user or pool, a manager from the server's pool."""
        await interaction.response.defer(ephemeral=True)
        actor = actor_of(interaction)
        if user is None:
            guild = named_guild(interaction, server) if actor.is_owner else None
            left = await self._administration.fill_pool(actor, guild.id if guild else None, minutes)
            name = safe(guild.name) if guild else actor.guild_id
            await say_privately(
                interaction, gettext(admin_texts.POOL_FILLED, server=name, left=left)
            )
            return
        in_pool = await self._administration.grant(actor, UserId(user.id), minutes)
        period = self._quotas.period
        if in_pool is None:
            text = admin_texts.granted(user.mention, minutes, period)
        else:
            text = admin_texts.handed_out(user.mention, minutes, in_pool, period)
        await say_privately(interaction, text)

    @grant.autocomplete("server")
    async def suggest_servers(self, interaction: Interaction, typed: str) -> list[Choice[str]]:
        """Suggest servers to the owner. Other users get no suggestions."""
        if not actor_of(interaction).is_owner:
            return []
        wanted = typed.strip().casefold()
        return [
            Choice(name=shortened(guild.name, 100), value=str(guild.id))
            for guild in interaction.client.guilds
            if wanted in guild.name.casefold()
        ][:MAX_CHOICES]

    @quota.command(name="reset", description=locale_str("Give used minutes back"))
    @app_commands.describe(
        user=locale_str("Who gets them back; leave empty to take back this server's pool")
    )
    async def reset(self, interaction: Interaction, user: discord.User | None = None) -> None:
        """Give a user's used minutes back, or empty the server's pool."""
        await interaction.response.defer(ephemeral=True)
        actor = actor_of(interaction)
        if user is None:
            back = await self._administration.empty_pool(actor)
            text = gettext(admin_texts.POOL_EMPTIED, minutes=back)
        else:
            back = await self._administration.reset(actor, UserId(user.id))
            text = gettext(admin_texts.RESET, who=user.mention, minutes=back)
        await say_privately(interaction, text)

    @admin.command(name="block", description=locale_str("Keep someone from splitting songs"))
    @app_commands.describe(
        user=locale_str("Who; everywhere if you run this bot, otherwise in this server")
    )
    async def block(self, interaction: Interaction, user: discord.User) -> None:
        """Block a user: everywhere if the owner asks, in the server if a manager does."""
        await interaction.response.defer(ephemeral=True)
        actor = actor_of(interaction)
        await self._administration.block(actor, UserId(user.id))
        text = admin_texts.BLOCKED_EVERYWHERE if actor.is_owner else admin_texts.BLOCKED_HERE
        await say_privately(interaction, gettext(text, who=user.mention))

    @admin.command(name="unblock", description=locale_str("Let someone split songs again"))
    @app_commands.describe(user=locale_str("Who"))
    async def unblock(self, interaction: Interaction, user: discord.User) -> None:
        """Lift a block."""
        await interaction.response.defer(ephemeral=True)
        was_blocked = await self._administration.unblock(actor_of(interaction), UserId(user.id))
        text = admin_texts.UNBLOCKED if was_blocked else admin_texts.NOT_BLOCKED
        await say_privately(interaction, gettext(text, who=user.mention))

    @admin.command(
        name="providers", description=locale_str("Show how the providers are doing (owner only)")
    )
    async def providers(self, interaction: Interaction) -> None:
        """Show each provider's state, queue and spend."""
        await interaction.response.defer(ephemeral=True)
        states = await self._overview.providers(actor_of(interaction))
        await _show(interaction, gettext(admin_texts.PROVIDERS), admin_texts.provider_lines(states))

    @admin.command(
        name="stats", description=locale_str("Show what happened today and recently (owner only)")
    )
    async def stats(self, interaction: Interaction) -> None:
        """Show jobs, minutes, spend and errors."""
        await interaction.response.defer(ephemeral=True)
        stats = await self._overview.stats(actor_of(interaction))
        await _show(interaction, gettext(admin_texts.FIGURES), admin_texts.stats_lines(stats))

    @offered_command(
        name="defaults",
        description=locale_str("Set how songs are split in this server"),
        parent=admin,
    )
    @app_commands.rename(audio_format="format")
    @app_commands.describe(
        channel=locale_str(
            "A channel to allow, or to remove from the list; an empty list allows every channel"
        ),
        stems=locale_str("What to make from a song by default"),
        audio_format=locale_str("The stems' file format by default"),
        delivery=locale_str("How stems are delivered"),
        private=locale_str("Show answers only to the person who asks by default"),
        reset=locale_str("Start over, with only the other options given here"),
    )
    async def defaults(
        self,
        interaction: Interaction,
        channel: app_commands.Transform[int, ChannelOption] | None = None,
        stems: Recipe | None = None,
        audio_format: AudioFormat | None = None,
        delivery: DeliveryMode | None = None,
        private: bool | None = None,
        reset: bool = False,
    ) -> None:
        """Change the server's rules and show them."""
        await interaction.response.defer(ephemeral=True)
        actor = actor_of(interaction)
        change = RulesChange(
            is_reset=reset,
            switched_channel_id=channel,
            recipe=stems,
            audio_format=audio_format,
            delivery=delivery,
            is_private=private,
        )
        rules = await self._administration.change_rules(actor, change)
        await _show(interaction, gettext(admin_texts.THIS_SERVER), admin_texts.rules_lines(rules))


def named_guild(interaction: Interaction, wanted: str | None) -> discord.Guild | None:
    """Return the server with that id or unique name, or the current one for None.

    Anyone can name a server after another's id, so text that looks like an id is never treated as a
    name. Raises Rejected if no server or more than one matches.
    """
    if wanted is None:
        here: discord.Guild | None = interaction.guild
        return here
    wanted = wanted.strip()
    guilds: Sequence[discord.Guild] = interaction.client.guilds
    named = [guild for guild in guilds if wanted == str(guild.id)]
    if not named and not _SNOWFLAKE.fullmatch(wanted):
        named = [guild for guild in guilds if wanted == guild.name.strip()]
    if len(named) != 1:
        raise Rejected(Reason.NO_SUCH_SERVER)
    return named[0]


async def _show(interaction: Interaction, title: str, lines: Sequence[str]) -> None:
    card = Card(title=title, lines=tuple(lines), tone=Tone.QUIET)
    await interaction.edit_original_response(embed=embed_of(card))
