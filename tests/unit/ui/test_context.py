from datetime import timedelta
from typing import Any

import discord
import pytest
from discord.app_commands import AppCommandContext

from bot.domain.job import Context, Membership, Reply
from bot.ui.context import context_of, membership_of, reply_of
from tests.support.card_factories import NOW
from tests.support.discord_fakes import FakeInteraction


class Group(discord.GroupChannel):
    def __init__(self) -> None:
        """A group channel, of which only the type matters here."""


GUILD = FakeInteraction()
GUILD_WITHOUT_BOT = FakeInteraction(is_installed_in_guild=False)
BOT_DM = FakeInteraction(guild_id=None, context=AppCommandContext(dm_channel=True))
GROUP = FakeInteraction(
    guild_id=None, context=AppCommandContext(private_channel=True), channel=Group()
)
FRIENDS = FakeInteraction(guild_id=None, context=AppCommandContext(private_channel=True))


@pytest.mark.parametrize(
    ("interaction", "public", "private"),
    [
        (GUILD, Context.GUILD, Context.GUILD_EPHEMERAL),
        (GUILD_WITHOUT_BOT, Context.GUILD_USER_INSTALL, Context.GUILD_EPHEMERAL),
        (BOT_DM, Context.BOT_DM, Context.BOT_DM),
        (GROUP, Context.GROUP_DM, Context.GUILD_EPHEMERAL),
        (FRIENDS, Context.PRIVATE_DM, Context.GUILD_EPHEMERAL),
    ],
)
def test_the_contexts_are_told_apart(interaction: Any, public: Context, private: Context) -> None:
    assert context_of(interaction, private=False) is public
    assert context_of(interaction, private=True) is private


def test_a_channel_that_discord_does_not_name_is_left_to_the_token() -> None:
    interaction: Any = FakeInteraction(channel_id=None)
    assert reply_of(interaction, private=False, now=NOW).context is Context.GUILD_USER_INSTALL


@pytest.mark.parametrize(
    ("interaction", "is_user_install"),
    [(GUILD, False), (GUILD_WITHOUT_BOT, True), (BOT_DM, False), (GROUP, False)],
)
def test_a_reply_knows_whether_the_bot_came_with_its_user(
    interaction: Any, is_user_install: bool
) -> None:
    for private in (True, False):
        made = reply_of(interaction, private=private, now=NOW)
        assert made.is_user_install is is_user_install


def test_a_reply_knows_every_way_to_itself() -> None:
    interaction: Any = FakeInteraction()
    assert reply_of(interaction, private=False, now=NOW) == Reply(
        channel_id=5,
        context=Context.GUILD,
        application_id=6,
        guild_id=7,
        token="secret",
        token_expires_at=NOW + timedelta(minutes=15),
        size_limit_bytes=10 * 1024 * 1024,
        locale="de",
    )


class Thread(discord.Thread):
    def __init__(self) -> None:
        self.parent_id = 50


def test_a_reply_in_a_thread_knows_the_channel_around_it() -> None:
    interaction: Any = FakeInteraction(channel=Thread())
    assert reply_of(interaction, private=False, now=NOW).parent_channel_id == 50


def test_everybody_in_a_server_has_its_own_role_and_nobody_outside_has_one() -> None:
    inside: Any = GUILD
    outside: Any = BOT_DM
    assert membership_of(inside) == Membership(guild_id=7, role_ids=(7,))
    assert membership_of(outside) is None
