import asyncio
from gettext import NullTranslations

import pytest

from bot.i18n.translation import (
    ENGLISH,
    Language,
    Message,
    PluralMessage,
    activate,
    active_language,
    gettext,
    number,
)

HELLO = Message("Hello {name}")
SONGS = PluralMessage("{count} song", "{count} songs", by="count")


class Shouting(NullTranslations):
    """Adds an exclamation mark to every translated text."""

    def gettext(self, message: str) -> str:
        return f"{message}!"


LOUD = Language(code="es", catalogue=Shouting())


def test_english_is_spoken_if_nobody_says_otherwise() -> None:
    assert gettext(HELLO, name="Ada") == "Hello Ada"


@pytest.mark.parametrize(("count", "words"), [(0, "0 songs"), (1, "1 song"), (2, "2 songs")])
def test_a_noun_follows_its_number(count: int, words: str) -> None:
    assert gettext(SONGS, count=count) == words


def test_what_is_counted_must_be_a_whole_number() -> None:
    with pytest.raises(TypeError, match="count"):
        gettext(SONGS, count="many")


def test_a_language_is_spoken_for_a_while() -> None:
    with active_language(LOUD):
        assert gettext(HELLO, name="Ada") == "Hello Ada!"
        with active_language(ENGLISH):
            assert gettext(HELLO, name="Ada") == "Hello Ada"
        assert gettext(HELLO, name="Ada") == "Hello Ada!"
    assert gettext(HELLO, name="Ada") == "Hello Ada"


async def test_tasks_speak_each_their_own_language() -> None:
    has_spoken = asyncio.Event()

    async def loud() -> str:
        activate(LOUD)
        has_spoken.set()
        return gettext(HELLO, name="Ada")

    async def quiet() -> str:
        await has_spoken.wait()
        return gettext(HELLO, name="Ben")

    assert tuple(await asyncio.gather(loud(), quiet())) == ("Hello Ada!", "Hello Ben")


def test_what_somebody_wrote_is_not_taken_for_a_field() -> None:
    assert gettext(HELLO, name="{count}") == "Hello {count}"


def test_numbers_are_written_as_the_language_has_it() -> None:
    assert number(0.5) == "0.5"
    assert number(20.0) == "20"
    with active_language(LOUD):
        assert number(0.5) == "0,5"
