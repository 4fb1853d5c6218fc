"""Finds leftovers of a bot: secrets in its log, and files outside its data directory."""

import re
from collections.abc import Iterable, Iterator

from sandbox.server import DEFAULT_TOKEN
from sandbox.vendors.forms import KEY
from tests.chaos.harness import ChaosHarness

_SIGNED = re.compile(r"https?://[^\s?]+\?(?!\[redacted\])\S+")


def traces(harness: ChaosHarness) -> Iterator[str]:
    """Describe each trace found."""
    said = harness.log.read_text(errors="replace")
    yield from _secrets(said, [DEFAULT_TOKEN, KEY, *harness.sandbox.interactions.tokens])
    for path in harness.temporary.rglob("*"):
        yield f"a file outside the data directory: {path.name}"


def _secrets(said: str, secrets: Iterable[str]) -> Iterator[str]:
    for secret in secrets:
        if secret in said:
            yield f"a secret in the log: {secret[:4]}…"
    if found := _SIGNED.search(said):
        yield f"a signed address in the log: {found[0].partition('?')[0]}?…"
