"""Builds and validates a command's interaction data from user input, as Discord's clients do."""

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from sandbox.command_rules import CHAT_INPUT, LARGEST_NUMBER, SUBCOMMAND, SUBCOMMAND_GROUP
from sandbox.entities import Attachment, Channel, Guild, Permission, User
from sandbox.errors import Json
from sandbox.payloads import Payloads
from sandbox.world import World

_STRING, _INTEGER, _BOOLEAN, _USER, _CHANNEL, _ROLE, _MENTIONABLE = range(3, 10)
_NUMBER, _ATTACHMENT = 10, 11
_SERVER_INSTALL = 0


class NotAllowed(Exception):
    """A Discord client would not allow this action. The message is shown to the user."""


@dataclass(slots=True, kw_only=True)
class Invocation:
    """A registered command with the path to one of its subcommands."""

    command: Json
    path: tuple[Json, ...] = ()
    resolved: dict[str, Json] = field(default_factory=dict)

    @property
    def options(self) -> list[Json]:
        """The options that can be filled in."""
        return list((self.path[-1] if self.path else self.command).get("options") or ())

    def data(self, options: list[Json]) -> Json:
        """Wrap filled-in options in their subcommands."""
        for step in reversed(self.path):
            options = [{"type": step["type"], "name": step["name"], "options": options}]
        data: Json = {
            "id": self.command["id"],
            "name": self.command["name"],
            "type": self.command.get("type", CHAT_INPUT),
            "options": options,
        }
        if self.resolved:
            data["resolved"] = self.resolved
        return data


class Invocations:
    """Finds commands and assigns their options."""

    def __init__(self, *, world: World, payloads: Payloads) -> None:
        self._world = world
        self._payloads = payloads

    def available(self, channel: Channel) -> list[Json]:
        """Return the commands that are registered for a channel."""
        guild_commands = self._world.commands.get(channel.guild_id, [])
        globals_ = self._world.commands[None]
        return globals_ if channel.guild_id is None else [*globals_, *guild_commands]

    def find(self, name: str, kind: int, *, user: User, channel: Channel) -> Invocation:
        """Find a command, such as `split` or `admin quota set`, that the user may use there."""
        command = self._command(name, kind, channel)
        steps = name.removeprefix(command["name"]).split()
        path: list[Json] = []
        level = command
        for step in steps:
            options = level.get("options") or ()
            found = [o for o in options if o["name"] == step and o["type"] <= SUBCOMMAND_GROUP]
            if not found:
                raise NotAllowed(f"There is no command /{name}.")
            level = found[0]
            path.append(level)
        if any(o["type"] in (SUBCOMMAND, SUBCOMMAND_GROUP) for o in level.get("options") or ()):
            raise NotAllowed(f"/{name} needs a subcommand.")
        self._check_use(command, user, channel)
        return Invocation(command=command, path=tuple(path))

    def fill(
        self, invocation: Invocation, values: Json, uploads: dict[str, Attachment], channel: Channel
    ) -> list[Json]:
        """Return the options with their values. `uploads` is keyed by option."""
        known = {option["name"]: option for option in invocation.options}
        if unknown := values.keys() - known.keys():
            raise NotAllowed(f"There is no option {min(unknown)}.")
        filled = []
        for name, option in known.items():
            if name not in values:
                if option.get("required"):
                    raise NotAllowed(f"{name} is needed.")
                continue
            value = uploads[name] if name in uploads else values[name]
            filled.append(self._filled(invocation, option, value, channel))
        return filled

    def fill_so_far(
        self, invocation: Invocation, values: Json, *, focused: str, typed: str
    ) -> list[Json]:
        """Return the options while one of them is being typed."""
        options = []
        for option in invocation.options:
            name, kind = option["name"], option["type"]
            if name == focused:
                if not option.get("autocomplete"):
                    raise NotAllowed(f"{name} has no autocomplete.")
                options.append({"name": name, "type": kind, "value": typed, "focused": True})
            elif name in values and not isinstance(values[name], dict):
                options.append({"name": name, "type": kind, "value": values[name]})
        if not any(option.get("focused") for option in options):
            raise NotAllowed(f"There is no option {focused}.")
        return options

    def _command(self, name: str, kind: int, channel: Channel) -> Json:
        candidates = [c for c in self.available(channel) if c.get("type", CHAT_INPUT) == kind]
        for command in candidates:
            is_subcommand = kind == CHAT_INPUT and name.startswith(f"{command['name']} ")
            if command["name"] == name or is_subcommand:
                return command
        raise NotAllowed(f"There is no command {name}.")

    def _check_use(self, command: Json, user: User, channel: Channel) -> None:
        installed = {int(kind) for kind in self._world.integration_owners(user, channel)}
        if not installed & set(command.get("integration_types") or (_SERVER_INSTALL,)):
            raise NotAllowed("This command is not installed here.")
        contexts = command.get("contexts")
        if contexts is not None and self._world.context_of(channel) not in contexts:
            raise NotAllowed("This command cannot be used here.")
        guild = self._world.guild_of(channel)
        needed = command.get("default_member_permissions")
        if guild is None or needed is None:
            return
        held = guild.permissions_of(user.id)
        # With an empty mask, only administrators may use the command.
        mask = int(needed) or Permission.ADMINISTRATOR
        if held & mask != mask:
            raise NotAllowed("You do not have permission to use this command.")

    def _filled(self, invocation: Invocation, option: Json, value: Any, channel: Channel) -> Json:
        kind = option["type"]
        filled: Json = {"name": option["name"], "type": kind}
        if isinstance(value, Attachment):
            if kind != _ATTACHMENT:
                raise NotAllowed(f"{option['name']} takes no file.")
            _check_file_type(option, value)
            resolved = invocation.resolved.setdefault("attachments", {})
            resolved[str(value.id)] = self._payloads.attachment(value)
            return filled | {"value": str(value.id)}
        if kind in (_USER, _CHANNEL, _ROLE, _MENTIONABLE):
            self._resolve(invocation, kind, str(value), channel)
            return filled | {"value": str(value)}
        return filled | {"value": _plain_value(option, value)}

    def _resolve(self, invocation: Invocation, kind: int, value: str, channel: Channel) -> None:
        guild = self._world.guild_of(channel)
        number = int(value) if value.isdecimal() else 0
        if kind in (_USER, _MENTIONABLE) and number in self._world.users:
            self._resolve_user(invocation, number, guild)
        elif kind in (_ROLE, _MENTIONABLE) and guild is not None:
            roles = {role.id: role for role in guild.roles}
            if number not in roles:
                raise NotAllowed("There is no such role.")
            resolved = invocation.resolved.setdefault("roles", {})
            resolved[value] = self._payloads.role(roles[number])
        elif kind == _CHANNEL and number in self._world.channels:
            found = self._world.channels[number]
            written = self._payloads.channel(found) | {"name": found.name, "permissions": "0"}
            invocation.resolved.setdefault("channels", {})[value] = written
        else:
            raise NotAllowed("There is no such person, role or channel.")

    def _resolve_user(self, invocation: Invocation, user_id: int, guild: Guild | None) -> None:
        key = str(user_id)
        user = self._payloads.user(self._world.users[user_id])
        invocation.resolved.setdefault("users", {})[key] = user
        if guild is not None and user_id in guild.members:
            member = self._payloads.member(guild, user_id, with_permissions=True)
            invocation.resolved.setdefault("members", {})[key] = member


def _check_file_type(option: Json, attachment: Attachment) -> None:
    wanted = option.get("file_types")
    if not wanted:
        return
    suffix = PurePosixPath(attachment.filename).suffix.lower().removeprefix(".")
    family = attachment.content_type.partition("/")[0]
    if not {suffix, family} & {str(name).lower().removeprefix(".") for name in wanted}:
        listed = ", ".join(map(str, wanted))
        raise NotAllowed(f"{option['name']} takes only files of these types: {listed}.")


def _plain_value(option: Json, value: Any) -> Any:
    name, kind = option["name"], option["type"]
    try:
        match kind:
            case 4:
                value = _whole(value)
            case 10:
                value = float(value)
            case 5:
                value = value if isinstance(value, bool) else str(value).lower() == "true"
            case 11:
                raise NotAllowed(f"{name} takes a file.")
            case _:
                value = str(value)
    except (TypeError, ValueError) as exc:
        what = "whole number" if kind == _INTEGER else "number"
        raise NotAllowed(f"{name} takes a {what}.") from exc
    choices = option.get("choices")
    if choices and value not in [choice["value"] for choice in choices]:
        raise NotAllowed(f"{name} takes one of its choices only.")
    _check_range(option, value)
    return value


def _whole(value: Any) -> int:
    """Return a whole number, even if it was typed as text; raise `ValueError` for a fraction."""
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError(value)
    whole = int(value)
    if abs(whole) > LARGEST_NUMBER:
        raise ValueError(value)
    return whole


def _check_range(option: Json, value: Any) -> None:
    is_text = isinstance(value, str)
    measured = len(value) if is_text else value
    least = option.get("min_length" if is_text else "min_value")
    most = option.get("max_length" if is_text else "max_value")
    if (least is not None and measured < least) or (most is not None and measured > most):
        raise NotAllowed(f"{option['name']} is out of range.")
