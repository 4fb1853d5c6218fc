"""Forms that open over a message (Discord calls them modals), as data. Does not use discord.py.

A form's id, like a button's, is an action and its subject. Fields are read by name.
"""

from dataclasses import dataclass
from enum import StrEnum

from bot.ui.cards.controls import Choice

MAX_FIELDS = 5
"""Discord's limit for one form."""


class FormAction(StrEnum):
    """The action of submitting a form."""

    KEY_AND_SPEED = "set-key"
    """Renders a job; the subject is a job id and the token of the rendition shown."""
    MIX = "set-mix"
    """Renders a job as a mix; the subject is the same."""
    BATCH = "batch"
    """Splits several files; has no subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceField:
    """A list with one option to choose; `chosen` is the value of the default option."""

    name: str
    label: str
    choices: tuple[Choice, ...]
    chosen: str | None = None
    detail: str | None = None
    is_required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TextField:
    """A line of text."""

    name: str
    label: str
    text: str = ""
    detail: str | None = None
    max_length: int = 200
    is_required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesField:
    """Files to upload."""

    name: str
    label: str
    detail: str | None = None
    max_files: int = 10


Field = ChoiceField | TextField | FilesField


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form in its initial state."""

    action: FormAction
    subject: str = ""
    title: str
    fields: tuple[Field, ...]

    @property
    def custom_id(self) -> str:
        """The id that Discord sends back when the form is submitted."""
        return f"{self.action}:{self.subject}" if self.subject else str(self.action)
