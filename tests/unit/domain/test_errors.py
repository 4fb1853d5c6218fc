"""The tree of errors: complete in its drawing, and one class for each way of handling."""

import re

import pytest

from bot.domain import errors
from bot.domain.errors import (
    ProviderBusy,
    ProviderError,
    QuotaExceeded,
    Reason,
    Rejected,
    SplitError,
)

_BRANCH = re.compile(r"^(?P<indent>[│ ]*)[├└]── (?P<name>\w+)")
_WIDTH = 4


def drawn() -> dict[str, str]:
    """Return each class in the module's drawing, with the one it hangs on."""
    path, parents = ["SplitError"], {}
    for line in (errors.__doc__ or "").splitlines():
        if found := _BRANCH.match(line):
            depth = len(found["indent"]) // _WIDTH + 1
            path[depth:] = [found["name"]]
            parents[found["name"]] = path[depth - 1]
    return parents


def declared() -> dict[str, str]:
    """Return each class that the module declares, with its base."""
    return {
        name: kind.__bases__[0].__name__
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, SplitError) and kind is not SplitError
    }


def test_drawing_shows_every_error_where_it_hangs():
    assert drawn() == declared()


def test_every_public_error_says_what_it_means():
    assert [name for name in declared() if not getattr(errors, name).__doc__] == []


def test_rejection_carries_the_reason_and_its_figures():
    error = Rejected(Reason.TOO_LONG, limit=20)

    assert (error.problem.reason, error.problem.facts) == (Reason.TOO_LONG, {"limit": 20})
    assert str(error) == "too_long"


@pytest.mark.parametrize(("shared", "facts"), [(0, {}), (3, {"shared": 3})])
def test_exceeded_quota_is_a_rejection_with_what_is_left(shared: int, facts: dict[str, int]):
    error = QuotaExceeded(needed=4, left=1, allowance=60, resets_at=99, shared=shared)

    assert isinstance(error, Rejected)
    assert error.problem.reason is Reason.QUOTA
    assert error.problem.facts == {
        "needed": 4,
        "left": 1,
        "allowance": 60,
        "resets_at": 99,
        **facts,
    }


def test_busy_provider_may_say_when_to_come_back():
    assert isinstance(ProviderBusy(), ProviderError)
    assert ProviderBusy(retry_after_s=2.5).retry_after_s == 2.5
    assert ProviderBusy().retry_after_s is None


def test_reasons_are_stored_so_their_words_are_unique_and_plain():
    assert len({reason.value for reason in Reason}) == len(Reason)
    assert all(re.fullmatch(r"[a-z_]+", reason.value) for reason in Reason)
