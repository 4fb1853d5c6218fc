"""Maps actions of buttons, menus and forms to handlers, which are added when the bot is built."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import discord

from bot.i18n.languages import Languages
from bot.ui.cards.controls import Action, MenuAction
from bot.ui.cards.forms import FormAction
from bot.ui.components.form_modal import SubmittedForm
from bot.ui.error_answers import answer_error

Interaction = discord.Interaction[Any]
ButtonHandler = Callable[[Interaction, str], Awaitable[None]]
"""Takes the interaction and the button's subject. Errors that it raises are shown to the user."""
FormHandler = Callable[[Interaction, SubmittedForm], Awaitable[None]]
"""Takes the interaction and its submission. Errors that it raises are shown to the user."""
MenuHandler = Callable[[Interaction, str, str], Awaitable[None]]
"""Takes the interaction, the menu's subject and the chosen value. Errors that it raises are shown
to the user."""


class HandlerRegistry:
    """Runs the handlers of buttons, menus and forms, and tells users about their errors.

    discord.py would only log an error in a component's callback.
    """

    def __init__(self, *, languages: Languages) -> None:
        self._languages = languages
        self._buttons: dict[Action, ButtonHandler] = {}
        self._menus: dict[MenuAction, MenuHandler] = {}
        self._forms: dict[FormAction, FormHandler] = {}

    def add(
        self,
        *,
        buttons: Mapping[Action, ButtonHandler],
        menus: Mapping[MenuAction, MenuHandler] | None = None,
        forms: Mapping[FormAction, FormHandler] | None = None,
    ) -> None:
        """Register handlers. Raises ValueError if an action has one already."""
        menus, forms = menus or {}, forms or {}
        taken = [
            *(self._buttons.keys() & buttons),
            *(self._menus.keys() & menus),
            *(self._forms.keys() & forms),
        ]
        if taken:
            raise ValueError(f"already handled: {', '.join(taken)}")
        self._buttons.update(buttons)
        self._menus.update(menus)
        self._forms.update(forms)

    @property
    def actions(self) -> frozenset[Action | MenuAction | FormAction]:
        """Every action that has a handler."""
        return frozenset([*self._buttons, *self._menus, *self._forms])

    async def press(self, interaction: Interaction, action: Action, subject: str) -> None:
        """Run a button's handler in the language of the user who pressed it."""
        await self._run(interaction, lambda: self._buttons[action](interaction, subject))

    async def choose(
        self, interaction: Interaction, action: MenuAction, subject: str, value: str
    ) -> None:
        """Run a menu's handler in the language of the user who chose."""
        await self._run(interaction, lambda: self._menus[action](interaction, subject, value))

    async def submit(self, interaction: Interaction, form: SubmittedForm) -> None:
        """Run a form's handler in the user's language."""
        await self._run(interaction, lambda: self._forms[form.action](interaction, form))

    async def _run(self, interaction: Interaction, handle: Callable[[], Awaitable[None]]) -> None:
        self._languages.activate(interaction.locale.value)
        try:
            await handle()
        except Exception as exc:  # noqa: BLE001 - logged and answered there
            await answer_error(interaction, exc)
