from typing import Any

import discord
import pytest

from bot.domain.errors import NotFound, Reason, Rejected
from bot.i18n.translation import gettext
from bot.ui.cards.controls import Action, MenuAction
from bot.ui.components.handler_registry import HandlerRegistry
from bot.ui.texts import messages
from tests.support.discord_fakes import FakeInteraction
from tests.support.installed_languages import installed


class Handlers:
    """Records the language of each call, and raises a scripted error."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.said: list[tuple[str, ...]] = []

    async def press(self, interaction: Any, subject: str) -> None:
        self.said.append((subject, gettext(messages.NOTHING_CHARGED)))
        if self.error is not None:
            raise self.error

    async def choose(self, interaction: Any, subject: str, value: str) -> None:
        self.said.append((subject, value))


def registry(handlers: Handlers) -> HandlerRegistry:
    found = HandlerRegistry(languages=installed())
    found.add(buttons={Action.CANCEL: handlers.press}, menus={MenuAction.SHOW_JOB: handlers.choose})
    return found


async def test_a_handler_speaks_the_pressers_language() -> None:
    handlers, interaction = Handlers(), FakeInteraction(locale=discord.Locale.spain_spanish)
    talk: Any = interaction
    await registry(handlers).press(talk, Action.CANCEL, "k7f2q")
    [(subject, sentence)] = handlers.said
    assert subject == "k7f2q"
    assert sentence != messages.NOTHING_CHARGED.english


async def test_a_menus_handler_gets_the_choice() -> None:
    handlers, talk = Handlers(), FakeInteraction()
    interaction: Any = talk
    await registry(handlers).choose(interaction, MenuAction.SHOW_JOB, "", "k7f2q")
    assert handlers.said == [("", "k7f2q")]


@pytest.mark.parametrize(
    ("error", "start"),
    [
        (NotFound("k7f2q"), messages.NOT_FOUND.english[:10]),
        (Rejected(Reason.FILES_EXPIRED), "These stems have been deleted."),
        (ValueError("internal detail"), "Something went wrong on my side."),
    ],
)
async def test_what_a_handler_raises_is_answered(error: Exception, start: str) -> None:
    interaction = FakeInteraction()
    talk: Any = interaction
    await registry(Handlers(error)).press(talk, Action.CANCEL, "k7f2q")
    [(sentence, details)] = interaction.response.sent
    assert sentence is not None
    assert sentence.startswith(start)
    assert details == {"ephemeral": True}


async def test_an_action_without_a_handler_is_answered_too() -> None:
    interaction = FakeInteraction()
    talk: Any = interaction
    await registry(Handlers()).press(talk, Action.SHOW, "k7f2q")
    assert len(interaction.response.sent) == 1


def test_an_action_gets_no_second_handler() -> None:
    handlers = Handlers()
    taken = registry(handlers)
    with pytest.raises(ValueError, match="cancel"):
        taken.add(buttons={Action.CANCEL: handlers.press})
