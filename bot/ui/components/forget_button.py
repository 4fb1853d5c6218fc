"""The buttons of `/privacy`. Whoever presses them is the one who is meant; no id is in them."""

import re
from enum import StrEnum
from typing import Any, Self

import discord

from bot.domain.job import UserId
from bot.i18n.translation import gettext
from bot.ui.cards.card import Card, Tone
from bot.ui.client import Stemcord
from bot.ui.components.persistent_item import PersistentItem
from bot.ui.components.rendering import embed_of
from bot.ui.texts import privacy_texts as texts


class Step(StrEnum):
    """How far somebody is on the way to be forgotten."""

    ASK = "ask"
    CONFIRMED = "confirmed"


_LABELS = {Step.ASK: texts.DELETE, Step.CONFIRMED: texts.CONFIRMED}


class ForgetButton(PersistentItem, template=r"forget:(?P<step>ask|confirmed)"):
    """Asks whether everything shall be deleted, and deletes it."""

    def __init__(self, step: Step) -> None:
        super().__init__(
            discord.ui.Button(
                label=gettext(_LABELS[step]),
                custom_id=f"forget:{step}",
                style=discord.ButtonStyle.danger,
            )
        )
        self.step = step

    @classmethod
    def rebuilt(cls, match: re.Match[str], item: discord.ui.Item[Any]) -> Self:
        """Build the button again from what Discord kept."""
        return cls(Step(match["step"]))

    async def press(self, interaction: discord.Interaction[Stemcord]) -> None:
        """Take the step."""
        match self.step:
            case Step.ASK:
                card = Card(
                    title=gettext(texts.CONFIRM_TITLE),
                    lines=texts.confirm_lines(),
                    tone=Tone.FAILED,
                )
                view = view_with(Step.CONFIRMED)
                await interaction.response.edit_message(embed=embed_of(card), view=view)
            case Step.CONFIRMED:
                # First, because jobs under way may take longer to stop than Discord waits.
                await interaction.response.defer()
                privacy = interaction.client.services.privacy
                songs = await privacy.forget(UserId(interaction.user.id))
                card = Card(
                    title=gettext(texts.DONE_TITLE),
                    lines=(texts.done_line(songs),),
                    tone=Tone.QUIET,
                )
                await interaction.edit_original_response(embed=embed_of(card), view=None)


def view_with(step: Step) -> discord.ui.View:
    """Return the one button."""
    view = discord.ui.View(timeout=None)
    view.add_item(ForgetButton(step))
    return view
