import re

import discord
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.ui.texts.safe_text import MAX_LENGTH, safe, shortened

HOSTILE = {
    "@everyone": "@\u200beveryone",
    "<@123> <#4> </split:5>": r"\<@" + "\u200b" + r"123\> \<\#4\> \</split:5\>",
    "**bold** _it_ ~~no~~ ||spoiler|| `code`": (
        r"\*\*bold\*\* \_it\_ \~\~no\~\~ \|\|spoiler\|\| \`code\`"
    ),
    "[click](https://evil.invalid)": r"\[click\]\(https:" + "\u200b" + r"//evil.invalid\)",
    "# Headline": r"\# Headline",
    "- item": r"\- item",
    "one\ntwo\r\n> three": r"one two \> three",
    "evil\u202egnp.exe": "evilgnp.exe",
    "zero\u0000\u001b[31m": r"zero\[31m",
}


@pytest.mark.parametrize(("text", "shown"), HOSTILE.items())
def test_strangers_text_is_shown_as_it_is_written(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_long_text_is_cut() -> None:
    assert shortened("x" * 1000) == "x" * (MAX_LENGTH - 1) + "…"
    assert len(safe("*" * 1000)) <= 2 * MAX_LENGTH


@settings(deadline=None)
@given(st.text(max_size=300))
def test_safe_text_is_one_line_without_control_characters(text: str) -> None:
    shown = re.sub("[\u200b\u200c\u200d]", "", safe(text))
    assert shown.isprintable()
    assert "\n" not in shown


@settings(deadline=None)
@given(st.text(alphabet="*_~`|<>[]()#@: abc-\\\n", max_size=60))
def test_no_markup_is_left_that_discord_would_read(text: str) -> None:
    shown = safe(text)
    unescaped = shown.replace("\\\\", "").replace("\\*", "").replace("\\_", "").replace("\\`", "")
    assert not any(mark in unescaped for mark in "*_`")
    assert discord.utils.escape_mentions(shown) == shown
