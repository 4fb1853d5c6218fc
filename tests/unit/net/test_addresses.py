"""Parsing untrusted addresses either succeeds or raises one known error."""

import contextlib

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.net.addresses import InvalidAddress, is_showable, parse_address

WRONG = [
    "",
    "song.wav",
    "https://",
    "https://[x",
    "https://[::1",
    "https://x]/",
    "https://a..b/",
    "https://ex ample/",
    "https://xn--a.example/",
    "https://xn--zzzzzzz99999.example/",
    "https://☃.net/",
    "https://℀.example/",
    f"https://{'a' * 64}.example/",
    f"https://{'a.' * 200}example/",
    "https://x:port/",
    "https://x:99999999999999999999/",
    "https://x/\x00",
    "//[x",
    "https://" + "x" * 100_000,
]


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_address_is_one_known_error(text: str):
    with pytest.raises(InvalidAddress):
        parse_address(text)


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=60), st.sampled_from(["", "https://", "https://[", "//", "https://xn--"]))
def test_no_text_raises_anything_else(text: str, start: str):
    for base in (None, httpx.URL("https://a.example/b")):
        with contextlib.suppress(InvalidAddress):
            assert parse_address(start + text, base=base).raw_host


@pytest.mark.parametrize(
    "text",
    [
        "https://cdn.example/a/b.mp3?ex=1&sig=a%2Fb",
        "https://xn--mnchen-3ya.example/a",
        "https://münchen.example/a",
        "https://[2001:db8::1]:8443/a",
        "https://under_score.example./a",
        "http://127.0.0.1:8080/a",
    ],
)
def test_an_address_is_read(text: str):
    assert parse_address(text).path == text.partition("?")[0].split("/", 3)[3].join(["/", ""])


def test_a_relative_address_counts_from_its_base():
    base = httpx.URL("https://a.example/b/c?d=1")
    assert str(parse_address("../e", base=base)) == "https://a.example/e"
    assert str(parse_address("//f.example/g", base=base)) == "https://f.example/g"


SHOWABLE = ["https://cdn.example/a_b/c*d~e.mp3?sig=a%2Fb&x=1;2#t", "https://cdn.example:8443"]
UNSHOWABLE = [
    "http://cdn.example/a",
    "https://discord.com@evil.example/a",
    "https://cdn.example/a)[click](https://evil.example",
    "https://cdn.example/a(b)",
    "https://cdn.example/a b",
    "https://cdn.example/a\n# Free Nitro",
    "https://cdn.example/<@123>",
    "https://cdn.example/`a`",
    "https://cdn.example/a|b",
    "https://cdn.example/ä",
    "https://cdn.example/a\u202eb",
    'https://cdn.example/a"b',
    "https://cdn.example/\\",
    "javascript:alert(1)",
    "https:///a",
]


@pytest.mark.parametrize("url", SHOWABLE)
def test_a_plain_address_can_be_shown(url: str):
    assert is_showable(url)


@pytest.mark.parametrize("url", UNSHOWABLE)
def test_an_address_that_could_write_markdown_or_mislead_is_not_shown(url: str):
    assert not is_showable(url)
