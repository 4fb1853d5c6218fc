"""The content of a message, as data. Does not use discord.py."""

from dataclasses import dataclass
from enum import Enum

from bot.ui.cards.controls import Button, LinkButton, Menu


class Tone(Enum):
    """The mood of a card, which rendering turns into a colour."""

    WAITING = "waiting"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The content of a message; equal cards look the same."""

    title: str
    lines: tuple[str, ...]
    tone: Tone
    footer: str | None = None
    picture: str | None = None
    """The name of an attachment of the same message."""
    buttons: tuple[Button | LinkButton, ...] = ()
    menu: Menu | None = None
    plain: str = ""
    """The card in fixed words, for servers whose AutoMod refuses the user's words."""
