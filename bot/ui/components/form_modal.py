"""Opens forms as Discord's modals, and reads their submissions.

A submission is read from its interaction alone, so forms opened before a restart still work.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never

import discord

from bot.ui.cards.forms import ChoiceField, Field, FilesField, Form, FormAction, TextField

FORGOTTEN_AFTER_S = 900.0
"""The time for which discord.py remembers an open form. Submissions work without it."""
_FORM = re.compile(rf"(?P<action>{'|'.join(FormAction)})(?::(?P<subject>[a-z0-9:._-]+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedForm:
    """A submission: texts and choices by the field's name, and uploaded files."""

    action: FormAction
    subject: str
    values: Mapping[str, str]
    files: tuple[discord.Attachment, ...] = field(default=())


def modal_of(form: Form) -> discord.ui.Modal:
    """Return the form as Discord's modal."""
    modal = discord.ui.Modal(title=form.title, custom_id=form.custom_id, timeout=FORGOTTEN_AFTER_S)
    for each in form.fields:
        modal.add_item(
            discord.ui.Label(text=each.label, description=each.detail, component=_component(each))
        )
    return modal


def submitted_form(interaction: discord.Interaction[Any]) -> SubmittedForm | None:
    """Return the form that the interaction submits, or None for any other interaction."""
    if interaction.type is not discord.InteractionType.modal_submit:
        return None
    data: Mapping[str, Any] = interaction.data or {}
    match = _FORM.fullmatch(data.get("custom_id", ""))
    if match is None:
        return None
    fields = list(_fields(data.get("components", ())))
    attachments = data.get("resolved", {}).get("attachments", {})
    return SubmittedForm(
        action=FormAction(match["action"]),
        subject=match["subject"] or "",
        values={name: values[0] for name, values in fields if values},
        files=tuple(
            discord.Attachment(data=attachments[each], state=interaction._state)
            for _, values in fields
            for each in values
            if each in attachments
        ),
    )


def _component(asked: Field) -> discord.ui.Item[Any]:
    match asked:
        case ChoiceField():
            return discord.ui.Select(
                custom_id=asked.name,
                required=asked.is_required,
                options=[
                    discord.SelectOption(
                        value=each.value,
                        label=each.label,
                        description=each.detail,
                        default=each.value == asked.chosen,
                    )
                    for each in asked.choices
                ],
            )
        case TextField():
            return discord.ui.TextInput(
                custom_id=asked.name,
                default=asked.text or None,
                required=asked.is_required,
                max_length=asked.max_length,
            )
        case FilesField():
            return discord.ui.FileUpload(
                custom_id=asked.name, required=True, min_values=1, max_values=asked.max_files
            )
        case _:
            assert_never(asked)


def _fields(components: Any) -> Iterator[tuple[str, list[str]]]:
    """Yield each field's name and values. A label holds one component, a row several."""
    for each in components:
        if "component" in each:
            yield from _fields([each["component"]])
        elif "components" in each:
            yield from _fields(each["components"])
        elif "values" in each:
            yield each["custom_id"], [str(value) for value in each["values"]]
        elif each.get("value") is not None:
            yield each["custom_id"], [str(each["value"])]
