"""Every card and form, with the longest names and in every language, is within Discord's limits."""

from pathlib import Path
from typing import Any

import pytest

from bot.i18n.translation import ENGLISH, Language, active_language
from bot.ui.cards.card import Card
from bot.ui.cards.controls import Action, Button, Menu, MenuAction
from bot.ui.components.form_modal import modal_of
from bot.ui.components.rendering import embed_of, view_of
from sandbox.message_rules import check_message
from sandbox.modal_rules import check_modal
from tests.support.card_gallery import every_card, every_form, every_menu
from tests.support.installed_languages import installed

# https://docs.discord.com/developers/components/reference and resources/message
MAX_ROWS = 5
MAX_ROWS_BELOW_STEMS = 2
"""Our own limit, so that cards stay short on a phone."""
MAX_BUTTONS_IN_ROW = 5
MAX_OPTIONS = 25
MAX_DESCRIPTION = 4096
MAX_EMBED = 6000
MAX_CONTENT = 2000
MAX_CUSTOM_ID = 100
MAX_BUTTON_LABEL = 80
MAX_OPTION_TEXT = 100
MAX_PLACEHOLDER = 150

LONG = {"title": "*" * 300, "provider": "_" * 300, "job_id": "x" * 32, "url": "x" * 500}

in_each_language = pytest.mark.parametrize(
    "language", [ENGLISH, *installed()], ids=lambda each: each.code
)


def check_rows(rows: list[dict[str, Any]]) -> None:
    assert len(rows) <= MAX_ROWS
    items = [item for row in rows for item in row["components"]]
    custom_ids = [item["custom_id"] for item in items if "url" not in item]
    assert len(set(custom_ids)) == len(custom_ids)
    assert all(len(custom_id) <= MAX_CUSTOM_ID for custom_id in custom_ids)
    for row in rows:
        if "options" in row["components"][0]:
            [select] = row["components"]
            check_options(select["options"])
            assert len(select["placeholder"]) <= MAX_PLACEHOLDER
        else:
            assert len(row["components"]) <= MAX_BUTTONS_IN_ROW
            for button in row["components"]:
                assert 0 < len(button["label"]) <= MAX_BUTTON_LABEL


def check_options(options: list[dict[str, Any]]) -> None:
    assert 0 < len(options) <= MAX_OPTIONS
    values = [option["value"] for option in options]
    assert len(set(values)) == len(values)
    for option in options:
        for text in (option["value"], option["label"], option.get("description") or "-"):
            assert 0 < len(text) <= MAX_OPTION_TEXT


def components_of(card: Card) -> list[dict[str, Any]]:
    view = view_of(card.buttons, card.menu)
    return view.to_components() if view else []


@in_each_language
async def test_every_card_fits_discord(language: Language, tmp_path: Path) -> None:
    with active_language(language):
        for card in every_card(tmp_path, **LONG):
            embed, rows = embed_of(card).to_dict(), components_of(card)
            assert len(embed["description"]) <= MAX_DESCRIPTION
            assert len(embed["title"]) + len(embed["description"]) + 40 <= MAX_EMBED
            assert len(card.plain) <= MAX_CONTENT
            check_rows(rows)
            check_message({"content": card.plain, "embeds": [embed], "components": rows})


OUT_OF_USE = {
    Action.AS_MP3,
    Action.AS_FLAC,
    Action.AS_WAV,
    Action.OTHER_RECIPE,
    Action.TO_DM,
}


@in_each_language
async def test_every_menu_fits_discord(language: Language) -> None:
    with active_language(language):
        for menu in every_menu(title=LONG["title"], job_id=LONG["job_id"]):
            check_rows(rows := shown(menu))
            check_message({"content": "Which one?", "components": rows})


def shown(menu: Menu) -> list[dict[str, Any]]:
    view = view_of(menu=menu)
    assert view is not None
    return view.to_components()


@in_each_language
async def test_every_form_fits_discord(language: Language) -> None:
    with active_language(language):
        for form in every_form(title=LONG["title"]):
            check_modal(modal_of(form).to_dict())


async def test_controls_below_stems_take_at_most_two_rows(tmp_path: Path) -> None:
    rows = [
        len(components_of(card))
        for card in every_card(tmp_path)
        if any(getattr(button, "action", None) is Action.KEY_AND_SPEED for button in card.buttons)
    ]
    assert max(rows) == MAX_ROWS_BELOW_STEMS


async def test_the_gallery_has_every_action(tmp_path: Path) -> None:
    cards = list(every_card(tmp_path))
    buttons = [each for card in cards for each in card.buttons if isinstance(each, Button)]
    # Older versions posted buttons for formats, which the menu below a result has now.
    assert {button.action for button in buttons} | OUT_OF_USE == set(Action)
    menus = [card.menu for card in cards if card.menu] + list(every_menu())
    assert {menu.action for menu in menus} == set(MenuAction)
