"""Maps the actions of buttons and menus to handlers, which are added when the bot is built."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import discord

from bot.i18n.languages import Languages
from bot.ui.cards.controls import Action, MenuAction
from bot.ui.error_answers import answer_error

Interaction = discord.Interaction[Any]
ButtonHandler = Callable[[Interaction, str], Awaitable[None]]
"""Takes the interaction and the button's subject. The user is told about errors that it raises."""
MenuHandler = Callable[[Interaction, str, str], Awaitable[None]]
"""Takes the interaction, the menu's subject and the chosen value. The user is told about errors
that it raises."""


class HandlerRegistry:
    """Runs the handlers of buttons and menus, and tells the user about their errors.

    discord.py would only log an error in a component's callback.
    """

    def __init__(self, *, languages: Languages) -> None:
        self._languages = languages
        self._buttons: dict[Action, ButtonHandler] = {}
        self._menus: dict[MenuAction, MenuHandler] = {}

    def add(
        self,
        *,
        buttons: Mapping[Action, ButtonHandler],
        menus: Mapping[MenuAction, MenuHandler] | None = None,
    ) -> None:
        """Register handlers. Raises ValueError if an action has one already."""
        menus = menus or {}
        taken = [*(self._buttons.keys() & buttons), *(self._menus.keys() & menus)]
        if taken:
            raise ValueError(f"already handled: {', '.join(taken)}")
        self._buttons.update(buttons)
        self._menus.update(menus)

    @property
    def actions(self) -> frozenset[Action | MenuAction]:
        """The actions that have a handler."""
        return frozenset([*self._buttons, *self._menus])

    async def press(self, interaction: Interaction, action: Action, subject: str) -> None:
        """Run a button's handler in the language of the user who pressed it."""
        await self._run(interaction, lambda: self._buttons[action](interaction, subject))

    async def choose(
        self, interaction: Interaction, action: MenuAction, subject: str, value: str
    ) -> None:
        """Run a menu's handler in the language of the user who chose."""
        await self._run(interaction, lambda: self._menus[action](interaction, subject, value))

    async def _run(self, interaction: Interaction, handle: Callable[[], Awaitable[None]]) -> None:
        self._languages.activate(interaction.locale.value)
        try:
            await handle()
        except Exception as exc:  # noqa: BLE001 - logged and answered there
            await answer_error(interaction, exc)
