"""Command options that depend on this installation, or that discord.py can't express."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

from discord import app_commands
from discord.ext import commands

P = ParamSpec("P")
T = TypeVar("T")

Fields = Mapping[str, object]

AUDIO_FILES: Fields = {
    # `audio` and `video` are what Discord itself can play. Discord checks extensions only, so every
    # file is inspected anyway.
    "file_types": ["audio", "video", ".flac", ".opus", ".m4a", ".aac", ".aiff", ".wma"]
}


class OfferingCog(commands.Cog):
    """A cog that extends the description of its commands' options."""

    def option_fields(self) -> Mapping[str, Fields]:
        """Return extra fields of Discord's option objects by option name."""
        return {}

    def option_choices(self) -> Mapping[str, Sequence[app_commands.Choice[str]]]:
        """Return choices by option name."""
        return {}


CogT = TypeVar("CogT", bound=OfferingCog)


class OfferedCommand(app_commands.Command[CogT, P, T]):
    """A command that is registered with its cog's extra option fields and choices."""

    async def get_translated_payload(
        self, tree: app_commands.CommandTree[Any], translator: app_commands.Translator
    ) -> dict[str, Any]:
        """Return the command as Discord expects it, in all languages."""
        payload = await super().get_translated_payload(tree, translator)
        if self.binding is not None:
            fields, choices = self.binding.option_fields(), self.binding.option_choices()
            for option in payload["options"]:
                name = option["name"]
                option.update(fields.get(name, {}))
                if name in choices:
                    option["choices"] = [
                        await choice.get_translated_payload(translator) for choice in choices[name]
                    ]
        return payload


def offered_command(
    *, name: str, description: app_commands.locale_str, parent: app_commands.Group | None = None
) -> Callable[..., OfferedCommand[Any, ..., Any]]:
    """Turn a cog's method into an OfferedCommand; a counterpart to `app_commands.command`."""

    def decorate(callback: Any) -> OfferedCommand[Any, ..., Any]:
        command: OfferedCommand[Any, ..., Any] = OfferedCommand(
            name=name, description=description, callback=callback, parent=parent
        )
        if parent is not None:
            parent.add_command(command)
        return command

    return decorate
