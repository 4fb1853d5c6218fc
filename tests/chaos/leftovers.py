"""What bots must not leave behind: secrets in their log, files beside their data directory."""

import re
from collections.abc import Iterable, Iterator

from sandbox.server import DEFAULT_TOKEN
from sandbox.vendors.forms import KEY
from tests.chaos.stage import Stage

_SIGNED = re.compile(r"https?://[^\s?]+\?(?!\[redacted\])\S+")


def traces(stage: Stage) -> Iterator[str]:
    """Return each trace that was found."""
    said = stage.log.read_text(errors="replace")
    yield from _secrets(said, [DEFAULT_TOKEN, KEY, *stage.sandbox.interactions.tokens])
    for path in stage.elsewhere.rglob("*"):
        yield f"a file beside the data directory: {path.name}"


def _secrets(said: str, secrets: Iterable[str]) -> Iterator[str]:
    for secret in secrets:
        if secret in said:
            yield f"a secret in the log: {secret[:4]}…"
    if found := _SIGNED.search(said):
        yield f"a signed address in the log: {found[0].partition('?')[0]}?…"
