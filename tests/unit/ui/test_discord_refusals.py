import pytest

from bot.ui.discord_refusals import FailureKind, failure_kind
from tests.support.discord_fakes import refusal


@pytest.mark.parametrize(
    ("status", "code", "meaning"),
    [
        (401, 50027, FailureKind.CLOSED),
        (403, 50001, FailureKind.CLOSED),
        (403, 50013, FailureKind.CLOSED),
        (404, 10003, FailureKind.CLOSED),
        (404, 10008, FailureKind.CLOSED),
        (404, 10015, FailureKind.CLOSED),
        (404, 0, FailureKind.CLOSED),
        (400, 50083, FailureKind.CLOSED),
        (413, 0, FailureKind.TOO_LARGE),
        (400, 40005, FailureKind.TOO_LARGE),
        (400, 200000, FailureKind.UNWANTED),
        (400, 50035, FailureKind.UNWANTED),
        (429, 0, FailureKind.LATER),
        (429, 30046, FailureKind.LATER),
        (400, 30046, FailureKind.LATER),
        (503, 0, FailureKind.LATER),
    ],
)
def test_a_refusal_means_one_thing(status: int, code: int, meaning: FailureKind) -> None:
    assert failure_kind(refusal(status, code)) is meaning
