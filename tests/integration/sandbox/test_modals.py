"""The modals that the sandbox accepts from a bot, and the data of submissions."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import discord
import pytest

from sandbox.client import SandboxClient, SandboxRefused
from sandbox.errors import Json
from tests.integration.sandbox.library_bot import LibraryBot
from tests.integration.sandbox.raw_bot import RawBot

MESSAGE, DEFERRED, DEFERRED_UPDATE, UPDATE, CHOICES, MODAL = range(4, 10)
BATCH = {"name": "batch", "description": "Split several songs"}
TEXT = {"type": 4, "custom_id": "name", "style": 1, "required": False}
FILES = {"type": 19, "custom_id": "files", "min_values": 1, "max_values": 3}
CHECKBOX = {"type": 23, "custom_id": "private", "default": True}


def options(count: int, *, chosen: int = 0) -> list[Json]:
    return [{"label": f"L{n}", "value": f"v{n}", "default": n < chosen} for n in range(count)]


SELECT = {"type": 3, "custom_id": "stems", "options": options(3, chosen=1)}
RADIO = {"type": 21, "custom_id": "speed", "options": options(2, chosen=1)}
CHECKBOXES = {"type": 22, "custom_id": "extras", "options": options(3), "required": False}


def label(component: Any, **changes: Any) -> Json:
    return {"type": 18, "label": "Question", "component": component, **changes}


def modal(*components: Json, **changes: Any) -> Json:
    return {"custom_id": "batch", "title": "Split", "components": list(components), **changes}


class Forms:
    """A user who opens the bot's modals and submits them."""

    def __init__(self, *, ada: SandboxClient, bot: RawBot) -> None:
        self.ada = ada
        self.bot = bot

    async def opens(self, act: Coroutine[Any, Any, Json]) -> tuple[Json, "asyncio.Task[Json]"]:
        waiting = asyncio.create_task(act)
        return await self.bot.event("INTERACTION_CREATE"), waiting

    async def shown(self, data: Json) -> str:
        """Answer `/batch` with a modal, and return its id."""
        interaction, waiting = await self.opens(self.ada.command("batch"))
        assert await self.bot.answer(interaction, MODAL, data) == 0
        return str((await waiting)["modal_id"])

    async def submitted(self, modal_id: str, **fields: Any) -> Json:
        """Submit a modal; return the interaction."""
        interaction, waiting = await self.opens(self.ada.send_form(modal_id, **fields))
        assert await self.bot.answer(interaction, DEFERRED) == 0
        await waiting
        return interaction


@pytest.fixture
async def forms(raw_bot: RawBot, ada: SandboxClient) -> Forms:
    status, _ = await raw_bot.ask("PUT", f"/applications/{raw_bot.application}/commands", [BATCH])
    assert status == 200
    await raw_bot.listen()
    return Forms(ada=ada, bot=raw_bot)


def answers(interaction: Json) -> dict[str, Any]:
    """Return a submission's values by custom id."""
    inner = [part["component"] for part in interaction["data"]["components"]]
    return {part["custom_id"]: part.get("values", part.get("value")) for part in inner}


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        (modal(label(TEXT), custom_id="x" * 101), "custom_id"),
        (modal(label(TEXT), title="x" * 46), "title"),
        (modal(), "components"),
        (
            modal(*[label(TEXT | {"custom_id": f"{n}"}) for n in range(6)]),
            "components",
        ),
        (modal(TEXT), "components.0.type"),
        (modal(label(TEXT, label="x" * 46)), "components.0.label"),
        (modal(label(TEXT, label="")), "components.0.label"),
        (modal(label(TEXT, description="x" * 101)), "components.0.description"),
        (modal(label(None)), "components.0.component"),
        (modal(label({"type": 2, "custom_id": "b"})), "components.0.component.type"),
        (modal(label(TEXT | {"custom_id": "x" * 101})), "components.0.component.custom_id"),
        (modal(label(TEXT), label(TEXT)), "components.1.component.custom_id"),
        (modal(label(TEXT | {"style": 3})), "components.0.component.style"),
        (modal(label(TEXT | {"max_length": 4001})), "components.0.component.max_length"),
        (
            modal(label(TEXT | {"min_length": 9, "max_length": 5})),
            "components.0.component.min_length",
        ),
        (modal(label(TEXT | {"value": "xx", "max_length": 1})), "components.0.component.value"),
        (modal(label(TEXT | {"placeholder": "x" * 101})), "components.0.component.placeholder"),
        (modal(label(TEXT | {"required": "yes"})), "components.0.component.required"),
        (modal(label(SELECT | {"options": options(26)})), "components.0.component.options"),
        (modal(label(SELECT | {"max_values": 4})), "components.0.component.options"),
        (modal(label(SELECT | {"min_values": 0})), "components.0.component.min_values"),
        (modal(label(SELECT | {"min_values": 2})), "components.0.component.min_values"),
        (modal(label(SELECT | {"disabled": True})), "components.0.component.disabled"),
        (
            modal(label(SELECT | {"options": options(3, chosen=2)})),
            "components.0.component.options",
        ),
        (
            modal(label(SELECT | {"options": options(1) * 2})),
            "components.0.component.options.1.value",
        ),
        (modal(label(FILES | {"max_values": 11})), "components.0.component.max_values"),
        (modal(label(FILES | {"min_values": 0})), "components.0.component.min_values"),
        (modal(label(RADIO | {"options": options(1)})), "components.0.component.options"),
        (modal(label(RADIO | {"options": options(11)})), "components.0.component.options"),
        (
            modal(label(RADIO | {"options": options(2, chosen=2)})),
            "components.0.component.options",
        ),
        (modal(label(CHECKBOXES | {"options": options(11)})), "components.0.component.options"),
        (modal(label(CHECKBOX | {"default": 1})), "components.0.component.default"),
        (modal({"type": 1, "components": [SELECT]}), "components.0.components.0.type"),
        (modal({"type": 1, "components": [TEXT]}), "components.0.components.0.label"),
    ],
)
async def test_modal_beyond_a_limit_is_refused_with_the_path_to_it(
    forms: Forms, data: Json, wrong: str
) -> None:
    interaction, waiting = await forms.opens(forms.ada.command("batch"))
    path = f"/interactions/{interaction['id']}/{interaction['token']}/callback"
    body = {"type": MODAL, "data": data}
    assert f"data.{wrong}" in await forms.bot.wrong_paths("POST", path, body)
    assert await forms.bot.answer(interaction, DEFERRED) == 0
    await waiting


async def test_modal_at_the_limits_is_taken_and_its_parts_are_numbered(forms: Forms) -> None:
    data = modal(
        label(SELECT | {"options": options(25), "max_values": 25}, description="x" * 100),
        label(FILES | {"max_values": 10}, label="x" * 45),
        label(RADIO | {"options": options(10)}, id=3),
        label(CHECKBOXES | {"options": options(10)}),
        {"type": 10, "content": "x"},
        title="x" * 45,
        custom_id="x" * 100,
    )
    async with forms.ada.events() as events:
        await forms.shown(data)
        parts = (await anext(events))["components"]
    numbers = [
        number for part in parts for number in (part["id"], part.get("component", {}).get("id"))
    ]
    assert numbers == [1, 2, 4, 5, 3, 6, 7, 8, 9, None]


async def test_submission_carries_values_and_files(forms: Forms, song: Path) -> None:
    asked = [TEXT, SELECT, RADIO, FILES, CHECKBOXES]
    modal_id = await forms.shown(modal(*[label(each) for each in asked]))
    interaction = await forms.submitted(
        modal_id,
        name="Neon Rain",
        stems=["v2"],
        speed="v1",
        files=[song, song],
        extras=["v0", "v2"],
    )
    data = interaction["data"]
    given = answers(interaction)
    assert (interaction["type"], data["custom_id"]) == (5, "batch")
    assert [part["type"] for part in data["components"]] == [18] * 5
    files = given.pop("files")
    assert given == {"name": "Neon Rain", "stems": ["v2"], "speed": "v1", "extras": ["v0", "v2"]}
    assert list(data["resolved"]["attachments"]) == files
    for file_id in files:
        attachment = data["resolved"]["attachments"][file_id]
        assert (attachment["filename"], attachment["ephemeral"]) == ("Neon_Rain.mp3", True)
        async with forms.bot.http.get(attachment["url"]) as response:
            assert await response.read() == song.read_bytes()


async def test_what_is_left_alone_is_submitted_as_it_was_shown(forms: Forms) -> None:
    asked = [TEXT | {"value": "Neon"}, SELECT, RADIO, CHECKBOXES, CHECKBOX]
    modal_id = await forms.shown(modal(*[label(each) for each in asked]))
    interaction = await forms.submitted(modal_id)
    assert answers(interaction) == {
        "name": "Neon",
        "stems": ["v0"],
        "speed": "v0",
        "extras": [],
        "private": True,
    }
    assert "resolved" not in interaction["data"]


@pytest.mark.parametrize(
    ("component", "value", "reason"),
    [
        (TEXT | {"required": True}, "", "needed"),
        (TEXT | {"min_length": 3}, "xx", "3 to 4000 characters"),
        (TEXT | {"max_length": 3}, "xxxx", "0 to 3 characters"),
        (SELECT, ["other"], "one of its options"),
        (SELECT, ["v0", "v1"], "takes 1 value"),
        (SELECT, [], "takes 1 value"),
        (SELECT | {"max_values": 2}, ["v0", "v0"], "each value once"),
        (RADIO, "other", "one of its options"),
        (RADIO | {"options": options(2)}, None, "needed"),
        (CHECKBOXES | {"max_values": 1}, ["v0", "v1"], "takes 1 value"),
        (CHECKBOXES | {"required": True}, [], "takes 1 to 3 value"),
        (CHECKBOX, "yes", "true or false"),
        (FILES, [], "1 to 3 file"),
        (FILES, "song.mp3", "takes files"),
        (FILES, {"upload": "1"}, "no such upload"),
    ],
)
async def test_answer_that_an_app_would_not_send_is_refused(
    forms: Forms, component: Json, value: object, reason: str
) -> None:
    modal_id = await forms.shown(modal(label(component)))
    with pytest.raises(SandboxRefused, match=reason):
        await forms.ada.send_form(modal_id, **{component["custom_id"]: value})


async def test_too_many_files_and_unknown_fields_are_refused(forms: Forms, song: Path) -> None:
    modal_id = await forms.shown(modal(label(FILES), label(TEXT)))
    with pytest.raises(SandboxRefused, match="1 to 3 file"):
        await forms.ada.send_form(modal_id, files=[song] * 4)
    with pytest.raises(SandboxRefused, match="takes no file"):
        await forms.ada.send_form(modal_id, files=song, name=song)
    with pytest.raises(SandboxRefused, match="no field colour"):
        await forms.ada.send_form(modal_id, files=song, colour="red")
    assert answers(await forms.submitted(modal_id, files=song))["files"]


async def test_modal_of_a_button_knows_its_message_and_may_change_it(forms: Forms) -> None:
    row = {"type": 1, "components": [{"type": 2, "style": 1, "label": "Key", "custom_id": "key"}]}
    command, waiting = await forms.opens(forms.ada.command("batch"))
    await forms.bot.answer(command, MESSAGE, {"content": "x", "components": [row]})
    await waiting
    [message] = await forms.ada.messages()
    pressed, waiting = await forms.opens(forms.ada.press(message, "Key"))
    assert await forms.bot.answer(pressed, MODAL, modal(label(SELECT))) == 0
    modal_id = (await waiting)["modal_id"]
    interaction, waiting = await forms.opens(forms.ada.send_form(modal_id, stems=["v1"]))
    assert interaction["message"]["id"] == message["id"]
    assert await forms.bot.answer(interaction, UPDATE, {"content": "v1"}) == 0
    await waiting
    assert [each["content"] for each in await forms.ada.messages()] == ["v1"]


async def test_modal_of_a_command_has_no_message_to_change(forms: Forms) -> None:
    modal_id = await forms.shown(modal(label(TEXT)))
    interaction, waiting = await forms.opens(forms.ada.send_form(modal_id))
    assert "message" not in interaction
    assert await forms.bot.answer(interaction, UPDATE, {"content": "x"}) == 50035
    assert await forms.bot.answer(interaction, MODAL, modal(label(TEXT))) == 50035
    assert await forms.bot.answer(interaction, MESSAGE, {"content": "x"}) == 0
    await waiting


async def test_modal_is_seen_and_submitted_by_its_user_and_once(
    forms: Forms, ben: SandboxClient
) -> None:
    modal_id = await forms.shown(modal(label(TEXT)))
    shown = await forms.ada.form(modal_id)
    assert (shown["title"], shown["components"][0]["component"]["custom_id"]) == ("Split", "name")
    with pytest.raises(SandboxRefused, match="no longer open"):
        await ben.form(modal_id)
    with pytest.raises(SandboxRefused, match="no longer open"):
        await ben.send_form(modal_id)
    await forms.submitted(modal_id)
    with pytest.raises(SandboxRefused, match="no longer open"):
        await forms.ada.send_form(modal_id)


class Batch(discord.ui.Modal, title="Split several songs"):
    """Has one of each component that discord.py offers, with the library's own defaults."""

    files: discord.ui.Label[discord.ui.Modal] = discord.ui.Label(
        text="Songs", component=discord.ui.FileUpload(custom_id="files", max_values=10)
    )
    stems: discord.ui.Label[discord.ui.Modal] = discord.ui.Label(
        text="Stems",
        component=discord.ui.Select(
            custom_id="stems",
            options=[discord.SelectOption(label="Karaoke", default=True)],
        ),
    )
    speed: discord.ui.Label[discord.ui.Modal] = discord.ui.Label(
        text="Speed",
        component=discord.ui.RadioGroup(
            custom_id="speed",
            options=[discord.RadioGroupOption(label=name) for name in ("90", "100")],
        ),
    )
    extras: discord.ui.Label[discord.ui.Modal] = discord.ui.Label(
        text="Extras",
        component=discord.ui.CheckboxGroup(
            custom_id="extras",
            required=False,
            options=[discord.CheckboxGroupOption(label=name) for name in ("click", "count-in")],
        ),
    )
    private: discord.ui.Label[discord.ui.Modal] = discord.ui.Label(
        text="Private", component=discord.ui.Checkbox(custom_id="private")
    )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        given = [self.stems, self.extras]
        one = [self.speed, self.private]
        names = [file.filename for file in self.files.component.values]  # type: ignore[attr-defined] # a FileUpload
        values = [each.component.values for each in given]  # type: ignore[attr-defined] # a list of values
        value = [each.component.value for each in one]  # type: ignore[attr-defined] # one value
        await interaction.response.send_message(f"{names} {values} {value}")


async def test_library_reads_each_component(
    bot: LibraryBot, ada: SandboxClient, song: Path
) -> None:
    @bot.tree.command(description="Split several songs")
    async def batch(interaction: discord.Interaction) -> None:
        await interaction.response.send_modal(Batch())

    await bot.tree.sync()
    answer = await ada.command("batch")
    await ada.send_form(
        answer["modal_id"],
        files=[song, song],
        speed="90",
        extras=["click", "count-in"],
        private=True,
    )
    reply = await ada.wait_for(lambda message: message["author"]["bot"])
    names = ["Neon_Rain.mp3", "Neon_Rain.mp3"]
    values = [["Karaoke"], ["click", "count-in"]]
    assert reply["content"] == f"{names} {values} {['90', True]}"
