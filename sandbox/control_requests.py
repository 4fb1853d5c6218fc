"""What the control API takes; anything else is a 400 that says what is wrong."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Id = Annotated[int, Field(ge=0, lt=1 << 63)]


class ControlRequest(BaseModel):
    """Ids may come as text; a field that is not known is a mistake."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class PersonRequest(ControlRequest):
    """Something that a person does."""

    user: Id = Field(alias="as")


class UseCommand(PersonRequest):
    """Use a slash command, or one from a message's menu."""

    channel: Id
    name: str = Field(max_length=100)
    type: int = 1
    target_message: Id | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    locale: str | None = None
    """In place of the person's own."""


class Complete(PersonRequest):
    """Ask for suggestions while an option is typed."""

    channel: Id
    name: str = Field(max_length=100)
    option: str
    value: str | int | float = ""
    options: dict[str, Any] = Field(default_factory=dict)


class Press(PersonRequest):
    """Press a button or choose from a menu."""

    message_id: Id
    custom_id: str
    values: list[str] = Field(default_factory=list)


class SendForm(PersonRequest):
    """Send in a form that the bot has shown."""

    modal_id: str
    fields: dict[str, Any] = Field(default_factory=dict)


class Speak(PersonRequest):
    """Set another language in one's Discord."""

    locale: str


class Write(PersonRequest):
    """Write a message."""

    channel: Id
    content: str = ""
    uploads: list[Id] = Field(default_factory=list, max_length=10)


class Advance(ControlRequest):
    """Move the clock ahead."""

    advance_s: float


class OrderFault(ControlRequest):
    """Put a fault in force."""

    route: str = Field(min_length=1)
    status: int | None = Field(default=None, ge=400, le=599)
    code: int | None = None
    delay_s: float = Field(default=0.0, ge=0, le=600)
    reset: bool = False
    after: bool = False
    with_files: bool = False
    times: int | None = Field(default=None, ge=1)


class GatewayAction(ControlRequest):
    """Disturb the gateway: `drop`, `reconnect` or `invalidate`."""

    action: str = Field(pattern="^(drop|reconnect|invalidate)$")
