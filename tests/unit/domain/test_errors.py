"""The error tree in the docstring matches the classes."""

import importlib
import pkgutil
import re

import pytest

import bot
import bot.domain.errors
from bot.domain.attempt import AttemptError
from bot.domain.errors import (
    ProviderBusy,
    ProviderError,
    QuotaExceeded,
    Reason,
    Rejected,
    SplitError,
)

DRAWN = re.compile(r"^(?P<indent>[│ ]*)[├└]── (?P<name>\w+)", re.MULTILINE)
WORKERS = ("bot.engine.worker", "bot.audio.child", "bot.__main__")


def drawn() -> set[tuple[str, str]]:
    """Return the lines of the docstring as pairs of parent and child."""
    path, pairs = ["SplitError"], set()
    for line in DRAWN.finditer(bot.domain.errors.__doc__ or ""):
        depth = len(line["indent"]) // 4
        path[depth + 1 :] = [line["name"]]
        pairs.add((path[depth], line["name"]))
    return pairs


def real(parent: type[SplitError]) -> set[tuple[str, str]]:
    children = [each for each in parent.__subclasses__() if each.__module__.startswith("bot.")]
    pairs = {(parent.__name__, child.__name__) for child in children}
    return pairs.union(*map(real, children))


def test_the_docstring_draws_every_error():
    for module in pkgutil.walk_packages(bot.__path__, "bot."):
        if not module.name.startswith(WORKERS):  # these run in separate processes
            importlib.import_module(module.name)
    assert drawn() == real(SplitError)


def test_every_error_of_a_provider_has_a_word():
    kinds = {
        each for each in ProviderError.__subclasses__() if each.__module__ == SplitError.__module__
    }
    words = [AttemptError.of(kind()) for kind in kinds]
    assert AttemptError.UNKNOWN not in words
    assert len(set(words)) == len(kinds)


def test_a_word_of_another_version_is_unknown():
    assert AttemptError("quantum_flux") is AttemptError.UNKNOWN
    assert AttemptError("timed_out") is AttemptError.TIMED_OUT


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
