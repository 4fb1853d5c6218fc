"""A thousand names with markup or control characters, none of which breaks a card."""

import random
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.delivery.port import Delivery
from bot.domain.job import JobId, State
from bot.domain.recipes import AudioFormat, Stem
from bot.domain.titles import MAX_FILENAME_BYTES, sound_name, stem_filename, title_of
from bot.ui.cards.card import Card
from bot.ui.cards.controls import MenuAction
from bot.ui.cards.job_cards import card_of, jobs_card
from bot.ui.cards.result_cards import clip_added_card, result_card, shown_again_card
from bot.ui.cards.result_controls import Place
from bot.ui.cards.song_cards import recipe_card, song_menu
from bot.ui.components.rendering import embed_of, view_of
from bot.ui.texts.messages import cancelled
from sandbox.message_rules import check_message
from tests.support.card_factories import REQUEST, a_delivery, a_job

FRAGMENTS = (
    *(
        "@everyone",
        "@here",
        "<@123456789012345678>",
        "<@&123456789012345678>",
        "<#1>",
        "</split:1>",
    ),
    *("**", "__", "~~", "||", "`", "```", "> ", ">>> ", "# ", "-# ", "- ", "1. ", "\\", "[a](b)"),
    *("https://evil.invalid/a.mp3", "discord.gg/x", "<https://evil.invalid>", "javascript:", "\n"),
    *(
        "\u202e",
        "\u2066",
        "\u200b",
        "\ufeff",
        "\x00",
        "\x1b[31m",
        "\r",
        "\t",
        "\u2028",
        "\U000e0041",
    ),
    *(
        "../../etc/passwd",
        "/",
        "\\\\host",
        "CON",
        "..",
        ".",
        " ",
        "'",
        '"',
        ";",
        "$(id)",
        "%s",
        "{0}",
    ),
    *(
        "é",
        "e\u0301" * 40,
        "夜に駆ける",
        "🎤",
        "👩‍🎤",
        "ﷺ",
        "\u0e49" * 30,
        "a" * 300,
        ".mp3",
        "<t:1:R>",
        "",
    ),
)
JOINERS = ("\u200c", "\u200d")
"""Joiners stay inside words and emoji that need them, as test_titles.py checks."""
NAMES = st.text() | st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join)
MENTION = re.compile(r"@everyone|@here|(?<!\\)<[@#/:at]")


def many_names() -> list[str]:
    chance = random.Random(7)
    return ["".join(chance.choices(FRAGMENTS, k=chance.randint(1, 12))) for _ in range(300)]


def assert_harmless(text: str | None, *, lines: int = 1) -> None:
    assert text
    assert text.count("\n") < lines
    assert not MENTION.search(text), text
    assert "://" not in text, text
    odd = {char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Co", "Cs", "Cn")}
    assert odd <= {"\n", "\u200b", *JOINERS}, odd


def cards(name: str, delivery: Delivery) -> list[Card]:
    """Return every card that shows the name of a song."""
    source = replace(REQUEST.source, filename=name)
    job = a_job(State.DELIVERED, title=title_of(name, title=name, artist=name))
    return [
        card_of(replace(job, state=State.PROCESSING)),
        result_card(job, delivery),
        shown_again_card(job, delivery, place=Place.SERVER),
        clip_added_card(job, sound_name(job.title)),
        jobs_card([replace(job, id=JobId(f"k7f2{number}")) for number in range(4)]),
        recipe_card(source, [], message_id=1, number=0),
    ]


@settings(max_examples=100, deadline=None)
@given(NAMES)
def test_a_file_is_called_by_a_name_and_nothing_else(name: str) -> None:
    filename = stem_filename(title_of(name), Stem.VOCALS, AudioFormat.MP3)
    assert filename.endswith(" (Vocals).mp3")
    assert len(filename) <= 120
    assert len(filename.encode()) <= MAX_FILENAME_BYTES
    assert not set(filename) & set('<>:"/\\|?*\n\r\x00')
    assert not filename.startswith((".", " "))
    assert all(unicodedata.category(char)[0] != "C" or char in JOINERS for char in filename)


async def test_no_name_mentions_anybody_or_breaks_a_card(tmp_path: Path) -> None:
    delivery = a_delivery(tmp_path, alternatives=(AudioFormat.FLAC, AudioFormat.WAV))
    for name in many_names():
        for card in cards(name, delivery):
            embed = embed_of(card)
            assert_harmless(embed.title)
            assert_harmless(embed.description, lines=11)
            # Among components, only menus contain names.
            view = view_of((), card.menu)
            components = view.to_components() if view else []
            check_message({"embeds": [embed.to_dict()], "components": components})
        assert_harmless(cancelled(a_job(State.CANCELLED, title=title_of(name))))


async def test_no_name_breaks_a_choice_of_songs() -> None:
    names = many_names()
    for start in range(0, len(names), 25):
        songs = [replace(REQUEST.source, filename=name) for name in names[start : start + 25]]
        menu = song_menu(MenuAction.SPLIT_SONG, songs, 2**63 - 1)
        view = view_of(menu=menu)
        assert view is not None
        check_message({"content": "Which?", "components": view.to_components()})
