"""Forms as Discord's modals, and the values of submissions."""

from types import SimpleNamespace
from typing import Any

import discord
import pytest

from bot.ui.cards.controls import Choice
from bot.ui.cards.forms import ChoiceField, FilesField, Form, FormAction, TextField
from bot.ui.components.form_modal import modal_of, submitted_form

KEY = ChoiceField(
    name="key",
    label="Key",
    detail="In semitones",
    choices=(Choice("0", "Original key"), Choice("-2", "−2", "G minor")),
    chosen="-2",
)
FORM = Form(
    action=FormAction.KEY_AND_SPEED,
    subject="k7f2q:c-160.s90",
    title="Key & speed",
    fields=(
        KEY,
        TextField(name="levels", label="Levels", text="vocals 100"),
        FilesField(name="files", label="Songs", max_files=3),
    ),
)


class Submitted:
    """An interaction with the attributes of discord.py's."""

    _state = SimpleNamespace(http=None)

    def __init__(self, data: Any, kind: discord.InteractionType | None = None) -> None:
        self.data = data
        self.type = kind or discord.InteractionType.modal_submit


def read(data: Any, kind: discord.InteractionType | None = None) -> Any:
    interaction: Any = Submitted(data, kind)
    return submitted_form(interaction)


def label(component: dict[str, Any]) -> dict[str, Any]:
    return {"type": 18, "component": component}


async def test_a_form_opens_with_its_fields_and_what_is_chosen() -> None:
    modal = modal_of(FORM).to_dict()
    assert (modal["title"], modal["custom_id"]) == ("Key & speed", "set-key:k7f2q:c-160.s90")
    key, levels, files = modal["components"]
    assert (key["label"], key["description"]) == ("Key", "In semitones")
    options = key["component"]["options"]
    assert [option.get("default", False) for option in options] == [False, True]
    assert options[1]["description"] == "G minor"
    assert levels["component"]["value"] == "vocals 100"
    assert levels["component"]["required"] is False
    assert (files["component"]["min_values"], files["component"]["max_values"]) == (1, 3)


def test_a_submitted_form_is_read_by_the_names_of_its_fields() -> None:
    form = read(
        {
            "custom_id": "set-key:k7f2q:c-160.s90",
            "components": [
                label({"type": 3, "custom_id": "key", "values": ["-2"]}),
                label({"type": 4, "custom_id": "levels", "value": "vocals 0"}),
                label({"type": 3, "custom_id": "click", "values": []}),
            ],
        }
    )
    assert (form.action, form.subject) == (FormAction.KEY_AND_SPEED, "k7f2q:c-160.s90")
    assert form.values == {"key": "-2", "levels": "vocals 0"}
    assert form.files == ()


def test_fields_in_rows_are_read_as_well() -> None:
    row = {"type": 1, "components": [{"type": 4, "custom_id": "levels", "value": ""}]}
    assert read({"custom_id": "set-mix:k7f2q:plain", "components": [row]}).values == {"levels": ""}


def test_uploaded_files_come_in_the_order_in_which_they_were_chosen() -> None:
    files = {
        str(number): {
            "id": str(number),
            "filename": f"{number}.mp3",
            "size": 5,
            "url": f"https://cdn.invalid/{number}.mp3",
            "proxy_url": f"https://cdn.invalid/{number}.mp3",
        }
        for number in (1, 2)
    }
    upload = label({"type": 19, "custom_id": "files", "values": ["2", "1"]})
    form = read({"custom_id": "batch", "components": [upload], "resolved": {"attachments": files}})
    assert (form.action, form.subject) == (FormAction.BATCH, "")
    assert [file.filename for file in form.files] == ["2.mp3", "1.mp3"]


@pytest.mark.parametrize("custom_id", ["", "rename", "set-key-2:k7f2q", "set-key:K7F2Q;drop"])
def test_forms_of_others_are_not_read(custom_id: str) -> None:
    assert read({"custom_id": custom_id, "components": []}) is None


def test_other_interactions_submit_no_form() -> None:
    assert read({"custom_id": "batch"}, discord.InteractionType.component) is None
