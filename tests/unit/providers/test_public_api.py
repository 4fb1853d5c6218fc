"""`bot.providers` exports every name that a provider package needs."""

import ast
import re
from pathlib import Path

import bot.domain.errors
import bot.providers
from bot.domain.errors import ProviderError

ROOT = Path(__file__).parents[3]


def test_every_exported_name_exists():
    assert [name for name in bot.providers.__all__ if not hasattr(bot.providers, name)] == []


def test_every_error_that_a_provider_may_raise_is_exported():
    raised_by_stemcord = {"ResultsNotFetched"}
    errors = {
        each.__name__
        for each in ProviderError.__subclasses__()
        if each.__module__ == ProviderError.__module__
    }
    assert errors - raised_by_stemcord <= set(bot.providers.__all__)


def test_the_example_takes_everything_of_the_bot_from_the_public_api():
    blocks = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE | re.DOTALL
    )
    [example] = [block for block in blocks if "Hosted" in block]
    imported = [node for node in ast.walk(ast.parse(example)) if isinstance(node, ast.ImportFrom)]
    assert {node.module for node in imported} == {"typing", "urllib.parse", "bot.providers"}
