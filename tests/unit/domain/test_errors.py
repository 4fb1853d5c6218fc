"""The tree of errors is drawn as it is."""

import importlib
import pkgutil
import re

import bot
import bot.domain.errors
from bot.domain.attempt import AttemptError
from bot.domain.errors import ProviderError, SplitError

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
        if not module.name.startswith(WORKERS):  # these run in processes of their own
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
