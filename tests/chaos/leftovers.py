"""Finds leftovers of a bot: secrets in its log, and files outside its data directory."""

import re
from collections.abc import Iterator
from pathlib import Path

from sandbox.server import DEFAULT_TOKEN, Sandbox
from sandbox.vendors.forms import KEY
from tests.chaos.harness import ChaosHarness

_SIGNED = re.compile(r"https?://[^\s?]+\?(?!\[redacted\])\S+")


def traces(harness: ChaosHarness) -> Iterator[str]:
    """Describe each trace found."""
    yield from secrets_in(harness.log, harness.sandbox)
    for path in harness.temporary.rglob("*"):
        yield f"a file outside the data directory: {path.name}"


def secrets_in(log: Path, sandbox: Sandbox) -> Iterator[str]:
    """Describe each secret in a log."""
    said = log.read_text(errors="replace")
    for secret in (DEFAULT_TOKEN, KEY, *sandbox.interactions.tokens):
        if secret in said:
            yield f"a secret in the log: {secret[:4]}…"
    if found := _SIGNED.search(said):
        yield f"a signed address in the log: {found[0].partition('?')[0]}?…"
