"""The buttons and menus of a card, as data. Does not use discord.py.

A custom id is an action and its subject, such as `cancel:k7f2q`. Cards that are already posted keep
theirs for good, so an action's value never changes and never gets a second meaning.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum

from bot.i18n.translation import Message
from bot.ui.texts import labels


class Action(StrEnum):
    """What a button does."""

    CANCEL = "cancel"
    TRY_AGAIN = "again"
    OTHER_RECIPE = "other"
    SHOW = "show"
    AS_MP3 = "as-mp3"
    AS_FLAC = "as-flac"
    AS_WAV = "as-wav"
    TO_DM = "dm"
    DELETE = "delete"
    MAKE = "make"
    """Splits a message's song; the subject is recipe, message id and number of the song."""
    FORGET = "forget"
    """Deletes the presser's data; the subject is a `ForgetStep`."""


class MenuAction(StrEnum):
    """What choosing from a menu does."""

    SHOW_JOB = "show-one"
    """Shows the chosen job again; has no subject."""
    SPLIT_AGAIN = "recipe"
    """Splits the subject's song by the chosen recipe; the subject is a job id."""
    MAKE = "more"
    """Splits a message's song by the chosen recipe; the subject is message id and number."""
    OFFER_RECIPES = "song"
    """Asks how to split the chosen song of a message; the subject is the message id."""
    SPLIT_SONG = "pick"
    """Splits the chosen song of a message by the server's defaults; the subject likewise."""


class ForgetStep(StrEnum):
    """How far a user has confirmed that their data be deleted."""

    ASK = "ask"
    CONFIRMED = "confirmed"


class Emphasis(Enum):
    """How a button stands out."""

    NORMAL = "normal"
    PRIMARY = "primary"
    DANGER = "danger"


LABELS: dict[Action, Message] = {
    Action.CANCEL: labels.CANCEL,
    Action.TRY_AGAIN: labels.TRY_AGAIN,
    Action.OTHER_RECIPE: labels.OTHER_RECIPE,
    Action.SHOW: labels.SHOW,
    Action.AS_MP3: labels.AS_MP3,
    Action.AS_FLAC: labels.AS_FLAC,
    Action.AS_WAV: labels.AS_WAV,
    Action.TO_DM: labels.TO_DM,
    Action.DELETE: labels.DELETE,
}
"""The labels that never vary."""


@dataclass(frozen=True, slots=True)
class Button:
    """A button."""

    action: Action
    subject: str
    """What it acts on, such as a job id; `:` separates parts."""
    label: str
    emphasis: Emphasis = Emphasis.NORMAL

    @property
    def custom_id(self) -> str:
        """The id that Discord sends back when the button is pressed."""
        return f"{self.action}:{self.subject}"


@dataclass(frozen=True, slots=True)
class Choice:
    """An option of a menu."""

    value: str
    label: str
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Menu:
    """A list to choose one option from."""

    action: MenuAction
    subject: str = ""
    placeholder: str
    choices: tuple[Choice, ...]

    @property
    def custom_id(self) -> str:
        """The id that Discord sends back with a choice."""
        return f"{self.action}:{self.subject}" if self.subject else str(self.action)
