"""What a card can be asked for: its buttons and menus. Discord is not needed."""

from dataclasses import dataclass
from enum import StrEnum

from bot.domain.job import JobId
from bot.i18n.translation import Message

SHOW_MENU = "show-one"
"""The custom id of the menu that shows a job again."""


class Action(StrEnum):
    """What a button does; the value begins its custom id."""

    CANCEL = "cancel"
    TRY_AGAIN = "again"
    OTHER_RECIPE = "other"
    SHOW = "show"
    AS_MP3 = "as-mp3"
    AS_FLAC = "as-flac"
    AS_WAV = "as-wav"
    TO_DM = "dm"
    DELETE = "delete"


BUTTON_LABELS: dict[Action, Message] = {
    Action.CANCEL: Message("Cancel"),
    Action.TRY_AGAIN: Message("Try again"),
    Action.OTHER_RECIPE: Message("Other recipe"),
    Action.SHOW: Message("Show the stems"),
    Action.AS_MP3: Message("As MP3"),
    Action.AS_FLAC: Message("As FLAC"),
    Action.AS_WAV: Message("As WAV"),
    Action.TO_DM: Message("To my DM"),
    Action.DELETE: Message("Delete"),
}


@dataclass(frozen=True, slots=True)
class Button:
    """One button about one job."""

    action: Action
    job_id: JobId
    label: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of a menu."""

    value: str
    label: str
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Menu:
    """A list to choose from; `custom_id` says what comes of it."""

    custom_id: str
    placeholder: str
    choices: tuple[Choice, ...]
