import pytest

from bot.ui.discord_refusals import Meaning, meaning_of
from tests.support.discord_fakes import refusal


@pytest.mark.parametrize(
    ("status", "code", "meaning"),
    [
        (401, 50027, Meaning.CLOSED),
        (403, 50001, Meaning.CLOSED),
        (403, 50013, Meaning.CLOSED),
        (404, 10003, Meaning.CLOSED),
        (404, 10008, Meaning.CLOSED),
        (404, 10015, Meaning.CLOSED),
        (404, 0, Meaning.CLOSED),
        (400, 50083, Meaning.CLOSED),
        (413, 0, Meaning.TOO_LARGE),
        (400, 40005, Meaning.TOO_LARGE),
        (400, 200000, Meaning.UNWANTED),
        (400, 50035, Meaning.UNWANTED),
        (429, 0, Meaning.LATER),
        (429, 30046, Meaning.LATER),
        (400, 30046, Meaning.LATER),
        (503, 0, Meaning.LATER),
    ],
)
def test_a_refusal_means_one_thing(status: int, code: int, meaning: Meaning) -> None:
    assert meaning_of(refusal(status, code)) is meaning
