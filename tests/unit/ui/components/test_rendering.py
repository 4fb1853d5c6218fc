from pathlib import Path

import discord

from bot.domain.job import State
from bot.ui.cards.card import Tone
from bot.ui.cards.controls import Action, Button, Choice, Emphasis, Menu, MenuAction
from bot.ui.cards.result_cards import result_card
from bot.ui.components.rendering import COLOURS, embed_of, view_of
from tests.support.card_factories import a_delivery, a_job


def test_an_embed_is_drawn_from_its_card(tmp_path: Path) -> None:
    embed = embed_of(result_card(a_job(State.READY), a_delivery(tmp_path)))
    drawn = {key: value for key, value in embed.to_dict().items() if value and key != "type"}
    assert drawn == {
        "title": "Neon Rain · Karaoke",
        "description": "Instrumental and vocals, 3:42, MP3\n4 min charged, 41 of 60 left today",
        "color": COLOURS[Tone.DONE],
        "footer": {"text": "k7f2q"},
        "image": {"url": "attachment://waveforms.png"},
    }
    assert set(COLOURS) == set(Tone)


async def test_buttons_and_menus_never_time_out() -> None:
    menu = Menu(
        action=MenuAction.SHOW_JOB, placeholder="Choose", choices=(Choice("k7f2q", "Neon Rain"),)
    )
    view = view_of([Button(Action.CANCEL, "k7f2q", "Cancel")], menu)
    assert view is not None
    assert view.is_persistent()
    [[button], [select]] = [row["components"] for row in view.to_components()]
    assert button["custom_id"] == "cancel:k7f2q"
    assert select["custom_id"] == "show-one"
    assert select["options"][0]["value"] == "k7f2q"


async def test_a_button_looks_as_important_as_it_is() -> None:
    view = view_of([Button(Action.CANCEL, each.value, "Go", each) for each in Emphasis])
    assert view is not None
    [row] = view.to_components()
    styles = [discord.ButtonStyle(button["style"]) for button in row["components"]]
    assert styles == [
        discord.ButtonStyle.secondary,
        discord.ButtonStyle.primary,
        discord.ButtonStyle.danger,
    ]


def test_a_card_without_controls_has_no_view() -> None:
    assert view_of() is None
