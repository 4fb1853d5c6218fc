from dataclasses import dataclass, field, replace
from typing import Any

import discord
import pytest

from bot.domain.guilds import Rank
from bot.ui.actors import actor_of, manages_guild, may_create_expressions, owner_ids

ADA, BEN, CLEO, DAN = 1, 2, 3, 4


def member(user_id: int, role: str, state: int = 2) -> dict[str, Any]:
    user = {"id": str(user_id), "username": "x", "discriminator": "0", "avatar": None}
    return {"user": user, "membership_state": state, "permissions": ["*"], "role": role}


def an_application(*members: dict[str, Any], team_owner: int = ADA) -> Any:
    """Return an application as discord.py parses it."""

    @dataclass
    class Application:
        owner: Any
        team: discord.Team | None

    if not members:
        return Application(owner=discord.Object(ADA), team=None)
    payload: Any = {
        "id": "9",
        "name": "Team",
        "icon": None,
        "owner_user_id": str(team_owner),
        "members": list(members),
    }
    state: Any = None
    # The owner of a team's application represents the team and is not a person.
    return Application(owner=discord.Object(9), team=discord.Team(state, payload))


@dataclass
class Talk:
    """The part of an interaction that identifies the user."""

    user: discord.Object
    permissions: discord.Permissions
    guild_id: int | None = 7
    guild: Any = None
    client: Any = field(default_factory=lambda: Client(an_application()))


@dataclass
class Client:
    application: Any


def rank(user_id: int, guild_id: int | None = 7, **allowed: bool) -> Rank:
    talk: Any = Talk(discord.Object(user_id), discord.Permissions(**allowed), guild_id)
    return actor_of(talk).rank


def test_one_person_may_own_an_application() -> None:
    assert owner_ids(an_application()) == {ADA}


def test_of_a_team_those_count_who_joined_and_may_change_the_application() -> None:
    application = an_application(
        member(ADA, ""),
        member(BEN, "developer"),
        member(CLEO, "read_only"),
        member(DAN, "admin", state=1),
    )
    assert owner_ids(application) == {ADA, BEN}


@pytest.mark.parametrize("guild_id", [7, None])
def test_the_owner_is_the_owner_everywhere(guild_id: int | None) -> None:
    assert rank(ADA, guild_id) is Rank.OWNER


def test_who_may_manage_the_server_is_a_manager_there_only() -> None:
    assert rank(BEN, manage_guild=True) is Rank.MANAGER
    assert rank(BEN, administrator=True) is Rank.MANAGER
    assert rank(BEN, None, manage_guild=True) is Rank.MEMBER


@dataclass
class Guild:
    owner_id: int


@pytest.mark.parametrize("guild_id", [7, None])
def test_whoever_owns_the_server_manages_it(guild_id: int | None) -> None:
    none = discord.Permissions.none()
    talk: Any = Talk(discord.Object(BEN), none, guild_id, guild=Guild(owner_id=BEN))
    assert manages_guild(talk) is (guild_id is not None)
    talk.guild.owner_id = ADA
    assert not manages_guild(talk)


def test_nothing_less_makes_a_manager() -> None:
    everything_else = discord.Permissions.all()
    everything_else.update(manage_guild=False, administrator=False)
    talk: Any = Talk(discord.Object(BEN), everything_else)
    assert actor_of(talk).rank is Rank.MEMBER


def test_before_the_login_nobody_is_the_owner() -> None:
    talk: Any = Talk(discord.Object(ADA), discord.Permissions.none(), client=Client(None))
    assert actor_of(talk).rank is Rank.MEMBER


def test_expressions_are_created_by_those_who_may_in_servers_only() -> None:
    for allowed in ({"create_expressions": True}, {"administrator": True}):
        talk: Any = Talk(discord.Object(BEN), discord.Permissions(**allowed))
        assert may_create_expressions(talk)
        assert not may_create_expressions(replace(talk, guild_id=None))
    everything_else = discord.Permissions.all()
    everything_else.update(create_expressions=False, administrator=False)
    outsider: Any = Talk(discord.Object(BEN), everything_else)
    assert not may_create_expressions(outsider)
