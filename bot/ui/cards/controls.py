"""What a card can be asked for: its buttons and menus. Discord is not needed."""

from dataclasses import dataclass
from enum import StrEnum

from bot.domain.job import JobId
from bot.i18n.translation import Text

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


BUTTON_LABELS: dict[Action, Text] = {
    Action.CANCEL: Text("Cancel"),
    Action.TRY_AGAIN: Text("Try again"),
    Action.OTHER_RECIPE: Text("Other recipe"),
    Action.SHOW: Text("Show the stems"),
    Action.AS_MP3: Text("As MP3"),
    Action.AS_FLAC: Text("As FLAC"),
    Action.AS_WAV: Text("As WAV"),
    Action.TO_DM: Text("To my DM"),
    Action.DELETE: Text("Delete"),
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
