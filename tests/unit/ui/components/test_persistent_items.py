"""Custom ids of posted cards keep working and keep their meaning."""

from dataclasses import dataclass, field
from typing import Any

import discord
import pytest

from bot.i18n.languages import Languages
from bot.ui.cards.controls import Action, MenuAction
from bot.ui.cards.forms import FormAction
from bot.ui.components.handler_registry import HandlerRegistry
from bot.ui.components.persistent_items import ActionButton, ActionMenu
from cogs import ACTIONS
from tests.support.discord_fakes import services_of

BUTTONS: dict[str, tuple[Action, str]] = {
    "cancel:k7f2q": (Action.CANCEL, "k7f2q"),
    "again:k7f2q": (Action.TRY_AGAIN, "k7f2q"),
    "other:k7f2q": (Action.OTHER_RECIPE, "k7f2q"),
    "show:k7f2q": (Action.SHOW, "k7f2q"),
    "as-mp3:k7f2q": (Action.AS_MP3, "k7f2q"),
    "as-flac:k7f2q": (Action.AS_FLAC, "k7f2q"),
    "as-wav:k7f2q": (Action.AS_WAV, "k7f2q"),
    "dm:k7f2q": (Action.TO_DM, "k7f2q"),
    "delete:k7f2q": (Action.DELETE, "k7f2q"),
    "make:karaoke-backing:123456789012345678:24": (
        Action.MAKE,
        "karaoke-backing:123456789012345678:24",
    ),
    "key:k7f2q:k-2.s90": (Action.KEY_AND_SPEED, "k7f2q:k-2.s90"),
    "mix:k7f2q:lead_vocals25": (Action.MIX, "k7f2q:lead_vocals25"),
    "r:k7f2q:c-1199.s149.bass199.count2.click.double:opus": (
        Action.RENDER,
        "k7f2q:c-1199.s149.bass199.count2.click.double:opus",
    ),
    "zip:k7f2q:k-2.s90:mp3": (Action.ZIP, "k7f2q:k-2.s90:mp3"),
    "make:karaoke:123456789012345678:all": (Action.MAKE, "karaoke:123456789012345678:all"),
    "clip:k7f2q": (Action.CLIP, "k7f2q"),
    "sound:k7f2q": (Action.ADD_SOUND, "k7f2q"),
    "cancel-all:k7f2q": (Action.CANCEL_BATCH, "k7f2q"),
    "zip-all:k7f2q": (Action.ZIP_BATCH, "k7f2q"),
    "forget:ask": (Action.FORGET, "ask"),
    "forget:confirmed": (Action.FORGET, "confirmed"),
}
MENUS: dict[str, tuple[MenuAction, str]] = {
    "show-one": (MenuAction.SHOW_JOB, ""),
    "recipe:k7f2q": (MenuAction.SPLIT_AGAIN, "k7f2q"),
    "more:123456789012345678:24": (MenuAction.MAKE, "123456789012345678:24"),
    "song:123456789012345678": (MenuAction.OFFER_RECIPES, "123456789012345678"),
    "more:123456789012345678:all": (MenuAction.MAKE, "123456789012345678:all"),
    "song-of:k7f2q": (MenuAction.SHOW_SONG, "k7f2q"),
    "extra:k7f2q:plain": (MenuAction.MORE, "k7f2q:plain"),
    "pick:123456789012345678": (MenuAction.SPLIT_SONG, "123456789012345678"),
}
"""Never remove or change a line: messages in users' channels contain these ids."""


@dataclass
class FakeHandlers:
    """Records presses and choices."""

    used: list[tuple[Any, ...]] = field(default_factory=list)

    async def press(self, interaction: Any, action: Action, subject: str) -> None:
        self.used.append((action, subject))

    async def choose(self, interaction: Any, action: MenuAction, subject: str, value: str) -> None:
        self.used.append((action, subject, value))


@dataclass
class FakeClient:
    handlers: FakeHandlers = field(default_factory=FakeHandlers)


@dataclass
class FakePress:
    client: FakeClient = field(default_factory=FakeClient)


async def use(custom_id: str, item: Any, interaction: FakePress) -> None:
    """Dispatch a component as discord.py does, to the first item that fully matches."""
    for kind in (ActionButton, ActionMenu):
        match = kind.__discord_ui_compiled_template__.fullmatch(custom_id)
        if match is not None:
            rebuilt: Any = await kind.from_custom_id(interaction, item, match)  # type: ignore[arg-type] # a fake
            if isinstance(item, discord.ui.Select):
                rebuilt.item._values = ["4-stems"]
            assert rebuilt.custom_id == custom_id
            await rebuilt.callback(interaction)


@pytest.mark.parametrize("custom_id", BUTTONS)
async def test_a_posted_button_does_what_it_did(custom_id: str) -> None:
    interaction = FakePress()
    await use(custom_id, discord.ui.Button(label="Press", custom_id=custom_id), interaction)
    assert interaction.client.handlers.used == [BUTTONS[custom_id]]


@pytest.mark.parametrize("custom_id", MENUS)
async def test_a_posted_menu_does_what_it_did(custom_id: str) -> None:
    options = [discord.SelectOption(label="4 stems", value="4-stems")]
    select: Any = discord.ui.Select(custom_id=custom_id, options=options)
    interaction = FakePress()
    await use(custom_id, select, interaction)
    assert interaction.client.handlers.used == [(*MENUS[custom_id], "4-stems")]


@pytest.mark.parametrize(
    "custom_id", ["cancel", "cancel:", "nuke:k7f2q", "cancel:K7F2Q", "show-one:x\n", "xcancel:a"]
)
async def test_nothing_else_is_one_of_ours(custom_id: str) -> None:
    interaction = FakePress()
    await use(custom_id, discord.ui.Button(label="Press", custom_id=custom_id), interaction)
    assert interaction.client.handlers.used == []


def test_the_tables_hold_every_action() -> None:
    assert {action for action, _ in BUTTONS.values()} == set(Action)
    assert {action for action, _ in MENUS.values()} == set(MenuAction)


def test_every_action_has_one_handler() -> None:
    handlers = HandlerRegistry(languages=Languages({}))
    for actions in ACTIONS:
        actions(services_of()).register(handlers)
    assert handlers.actions == {*Action, *MenuAction, *FormAction}
