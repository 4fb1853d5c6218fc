"""Models of the control API's requests. An invalid request gets a 400 with the reason."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from sandbox.entities import Permission

PermissionName = Annotated[
    str, Field(pattern=f"^({'|'.join(each.name.lower() for each in Permission if each.name)})$")
]
Id = Annotated[int, Field(ge=0, lt=1 << 63)]


class ControlRequest(BaseModel):
    """The base class of requests. Ids may be strings, and unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class PersonRequest(ControlRequest):
    """A request on behalf of a user."""

    user: Id = Field(alias="as")


class UseCommand(PersonRequest):
    """Use a slash command or a message command."""

    channel: Id
    name: str = Field(max_length=100)
    type: int = 1
    target_message: Id | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    locale: str | None = None
    """Overrides the user's own language."""


class Complete(PersonRequest):
    """Ask for an option's autocomplete choices."""

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
    """Submit a form that the bot has shown."""

    modal_id: str
    fields: dict[str, Any] = Field(default_factory=dict)


class Speak(PersonRequest):
    """Set the user's language."""

    locale: str


class Permit(ControlRequest):
    """Grant permissions such as `create_guild_expressions`, or refuse them."""

    user: Id | None = Field(default=None, alias="as")
    """None for the bot."""
    permissions: dict[PermissionName, bool] = Field(min_length=1)


class Write(PersonRequest):
    """Send a message."""

    channel: Id
    content: str = ""
    uploads: list[Id] = Field(default_factory=list, max_length=10)


class Advance(ControlRequest):
    """Move the clock ahead."""

    advance_s: float


class OrderFault(ControlRequest):
    """Add a fault."""

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
