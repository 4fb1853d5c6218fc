"""The buttons and menus of a card, as data. Does not use discord.py.

A custom id is an action and its subject, such as `cancel:k7f2q`. Posted cards keep their custom ids
forever, so an action's value must never change or be reused.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum

from bot.i18n.translation import Message
from bot.ui.texts import labels


class Action(StrEnum):
    """The actions of buttons."""

    CANCEL = "cancel"
    TRY_AGAIN = "again"
    OTHER_RECIPE = "other"
    SHOW = "show"
    AS_MP3 = "as-mp3"
    AS_FLAC = "as-flac"
    AS_WAV = "as-wav"
    TO_DM = "dm"
    DELETE = "delete"
    KEY_AND_SPEED = "key"
    """Opens a form; the subject is a job id and the token of the rendition shown, as for `MIX`."""
    MIX = "mix"
    ZIP = "zip"
    """Puts all stems into one file; the subject is the same as for `RENDER`."""
    RENDER = "r"
    """Renders a job; the subject is the job id, the token of the rendition to make and a format."""
    CLIP = "clip"
    """Cuts a clip for the soundboard; the subject is the job id."""
    ADD_SOUND = "sound"
    """Adds the subject's clip to the soundboard of the server in which it is pressed."""
    MAKE = "make"
    """Splits a message's song; the subject is the recipe, the message id and the song's number."""
    CANCEL_BATCH = "cancel-all"
    """Cancels the unfinished songs of a batch; the subject is the batch's id."""
    ZIP_BATCH = "zip-all"
    """Puts all songs of a batch into one file; the subject is the batch's id."""
    FORGET = "forget"
    """Deletes the data of the user who presses it; the subject is a `ForgetStep`."""


class MenuAction(StrEnum):
    """The actions of menus."""

    SHOW_JOB = "show-one"
    """Shows the chosen job again; has no subject."""
    SPLIT_AGAIN = "recipe"
    """Splits a job's song with the chosen recipe; the subject is the job id."""
    MAKE = "more"
    """Splits a message's song with the chosen recipe; the subject is the message id and the song's
    number, or `ALL_SONGS`."""
    OFFER_RECIPES = "song"
    """Asks how to split the chosen song of a message; the subject is the message id."""
    SPLIT_SONG = "pick"
    """Splits the chosen song of a message with the server's defaults; the subject is the message
    id."""

    SHOW_SONG = "song-of"
    """Shows a song of a batch, by its number, or `ALL_SONGS` in one file; the subject is the
    batch's id."""
    MORE = "extra"
    """Performs an entry of `More` on the job and rendition of the subject."""


class More(StrEnum):
    """The entries of the menu below a result, by the values of its options.

    After `ZIP` and a colon comes the format that is shown.
    """

    MP3 = "mp3"
    FLAC = "flac"
    WAV = "wav"
    ZIP = "zip"
    CLIP = "clip"
    OTHER_RECIPE = "recipe"
    TO_DM = "dm"


ALL_SONGS = "all"
"""The value for all songs of a message or a batch, used in menus and subjects like a number."""


class ForgetStep(StrEnum):
    """The steps of confirming that all data is to be deleted."""

    ASK = "ask"
    CONFIRMED = "confirmed"


class Emphasis(Enum):
    """The prominence of a button."""

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
    Action.KEY_AND_SPEED: labels.KEY_AND_SPEED,
    Action.MIX: labels.MIX,
    Action.ADD_SOUND: labels.ADD_SOUND,
}
"""The labels of actions whose label is always the same."""


@dataclass(frozen=True, slots=True)
class Button:
    """A button."""

    action: Action
    subject: str
    """The object of the action, such as a job id; `:` separates parts."""
    label: str
    emphasis: Emphasis = Emphasis.NORMAL

    @property
    def custom_id(self) -> str:
        """The id that Discord sends when the button is pressed."""
        return f"{self.action}:{self.subject}"


@dataclass(frozen=True, slots=True)
class LinkButton:
    """A button that opens an address."""

    url: str
    label: str


@dataclass(frozen=True, slots=True)
class Choice:
    """An option of a menu."""

    value: str
    label: str
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Menu:
    """A menu from which to choose one option."""

    action: MenuAction
    subject: str = ""
    placeholder: str
    choices: tuple[Choice, ...]

    @property
    def custom_id(self) -> str:
        """The id that Discord sends with a choice."""
        return f"{self.action}:{self.subject}" if self.subject else str(self.action)
