"""Finding the server that the owner names."""

from dataclasses import dataclass
from typing import Any

import pytest

from bot.domain.errors import Reason, Rejected
from cogs.admin import named_guild

KARAOKE = 1234567890123456789


@dataclass
class Guild:
    id: int
    name: str


@dataclass
class Client:
    guilds: list[Guild]


@dataclass
class Talk:
    client: Client
    guild: Guild | None = None


def named(wanted: str | None, *guilds: Guild) -> int:
    talk: Any = Talk(Client(list(guilds)), guild=guilds[-1])
    found = named_guild(talk, wanted)
    assert found is not None
    return found.id


def test_a_server_is_named_by_its_id_before_another_ones_name() -> None:
    impostor, karaoke = Guild(5, str(KARAOKE)), Guild(KARAOKE, "Karaoke Night")
    assert named(f" {KARAOKE} ", impostor, karaoke) == KARAOKE
    assert named(f" {KARAOKE} ", karaoke, impostor) == KARAOKE


def test_a_name_names_a_server_that_alone_has_it() -> None:
    assert named("Open Mic ", Guild(5, "Open Mic"), Guild(6, "Open Mic Two")) == 5


def test_an_unnamed_server_is_the_one_they_are_in() -> None:
    assert named(None, Guild(5, "Open Mic"), Guild(6, "Open Mic")) == 6


@pytest.mark.parametrize(
    ("wanted", "guilds"),
    [
        ("Open Mic", [Guild(5, "Open Mic"), Guild(6, "Open Mic")]),
        ("Elsewhere", [Guild(5, "Open Mic")]),
        # The id of a server that the bot has left does not find a server with that id as its name.
        (str(KARAOKE), [Guild(5, str(KARAOKE))]),
    ],
)
def test_anything_else_names_none(wanted: str, guilds: list[Guild]) -> None:
    with pytest.raises(Rejected) as refusal:
        named(wanted, *guilds)
    assert refusal.value.problem.reason is Reason.NO_SUCH_SERVER
