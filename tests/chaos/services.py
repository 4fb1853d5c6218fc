"""Providers that outlive the bot and behave as each song's name says.

Each submit is recorded in a journal on disk before it is answered.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from bot.domain.attempt import RemoteFile, RemoteRef
from bot.domain.errors import (
    ProviderBusy,
    ProviderDown,
    ProviderError,
    ProviderProtocol,
    ProviderRefused,
    SubmitUncertain,
)
from bot.domain.recipes import Stem
from bot.providers.interface import (
    Accepted,
    Call,
    Capabilities,
    Failed,
    Finished,
    Lost,
    Running,
    Source,
)
from tests.support.fakes import TWO_STEMS

POLL_S = 0.05


class Script(StrEnum):
    """The first provider's behaviour for a song with this name."""

    PLAIN = "plain"
    SLOW = "slow"
    ENDLESS = "endless"
    UNTIL_TOLD = "until-told"
    """Finishes as soon as the file `GO` exists."""
    AT_ONCE = "at-once"
    BUSY = "busy"
    DOWN = "down"
    REFUSED = "refused"
    NOBODY = "nobody"
    """Refused by every provider."""
    OUT = "out"
    """Every provider is down."""
    UNCERTAIN = "uncertain"
    NONSENSE = "nonsense"
    FAILS = "fails"
    LOST = "lost"
    LATE = "late"
    """The submit is answered after a delay."""
    BUG = "bug"
    """Polls raise an error that no adapter declares."""
    AGAIN = "again"
    """Always the same bytes, so that the user already has the stems."""
    HOLLOW = "hollow"
    """The audio tools delete the stems as soon as they are made."""
    BROKEN = "broken"
    """The audio tools refuse to decode the file."""


GO = "go"
_LASTING = (Script.ENDLESS, Script.UNTIL_TOLD, Script.OUT, Script.BUG)
ENDING = tuple(each for each in Script if each not in _LASTING)
"""Scripts that end soon."""
LATE_S = 1.0
_WORK_S = {Script.PLAIN: 0.1, Script.SLOW: 2.0, Script.ENDLESS: 1e9}


def script_of(url: str | None) -> Script:
    """Return the script named by an address's file name."""
    stem = PurePosixPath(urlsplit(url or "").path).stem
    return Script(stem) if stem in set(Script) else Script.PLAIN


def _refuse_everywhere(script: Script) -> None:
    if script is Script.NOBODY:
        raise ProviderRefused
    if script is Script.OUT:
        raise ProviderDown


@dataclass(frozen=True, slots=True)
class Journal:
    """The submits that reached one provider."""

    path: Path

    def note(self, call: Call) -> None:
        """Record a submit in one write, so that a kill leaves a whole line or none."""
        line = f"{call.job_id} {call.attempt}\n".encode()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)

    def arrived(self) -> Counter[str]:
        """Return how often each job was submitted."""
        if not self.path.exists():
            return Counter()
        return Counter(line.split()[0] for line in self.path.read_text().splitlines())


class HostedService:
    """A hosted provider."""

    def __init__(self, name: str, folder: Path, *, concurrency: int = 8) -> None:
        self.capabilities = Capabilities(
            name=name,
            title=name.title(),
            models=(TWO_STEMS,),
            poll_interval_s=POLL_S,
            concurrency=concurrency,
        )
        self._journal = Journal(folder / f"{name}.journal")
        self._go = folder / GO
        self._is_first = name == FIRST

    async def submit(self, call: Call, source: Source) -> Accepted | Finished:
        script = script_of(source.url)
        _refuse_everywhere(script)
        if not self._is_first:
            script = Script.PLAIN
        if (error := _REFUSALS.get(script)) is not None:
            raise error()
        self._journal.note(call)
        if script is Script.LATE:
            await asyncio.sleep(LATE_S)
        match script:
            case Script.UNCERTAIN:
                raise SubmitUncertain
            case Script.NONSENSE:
                raise ProviderProtocol
            case Script.AT_ONCE:
                return Finished(_FILES)
            case _:
                return Accepted(RemoteRef(f"{script}@{time.time() + _WORK_S.get(script, 0.1)}"))

    async def poll(self, ref: RemoteRef) -> Running | Finished | Failed | Lost:
        script, _, ends_at = ref.partition("@")
        if script == Script.BUG:
            raise RuntimeError("scripted")
        is_waiting = script == Script.UNTIL_TOLD and not self._go.exists()
        if is_waiting or time.time() < float(ends_at):
            return Running(0.5)
        if script == Script.FAILS:
            return Failed("scripted")
        return Lost() if script == Script.LOST else Finished(_FILES)

    async def fetch(self, file: RemoteFile, into: Path) -> None:
        into.write_bytes(b"stem")

    async def cancel(self, ref: RemoteRef) -> None:
        raise AssertionError("hosted providers here cannot cancel")

    async def aclose(self) -> None:
        return None


class EmbeddedService:
    """A provider in the bot's own process, whose work is lost when the bot dies."""

    def __init__(self, folder: Path) -> None:
        self.capabilities = Capabilities(
            name=EMBEDDED,
            title="Embedded",
            models=(TWO_STEMS,),
            is_hosted=False,
            is_resubmittable=True,
            can_cancel=True,
            gives_spools=True,
            poll_interval_s=POLL_S,
            concurrency=2,
        )
        self._journal = Journal(folder / f"{EMBEDDED}.journal")
        self._ends_at: dict[RemoteRef, float] = {}

    async def submit(self, call: Call, source: Source) -> Accepted:
        script = script_of(source.url)
        _refuse_everywhere(script)
        self._journal.note(call)
        ref = RemoteRef(f"{call.job_id}-{call.attempt}")
        self._ends_at[ref] = time.monotonic() + _WORK_S.get(script, 0.1)
        return Accepted(ref)

    async def poll(self, ref: RemoteRef) -> Running | Finished | Lost:
        if ref not in self._ends_at:
            return Lost()
        return Running(0.5) if time.monotonic() < self._ends_at[ref] else Finished(_FILES)

    async def fetch(self, file: RemoteFile, into: Path) -> None:
        into.write_bytes(b"stem")

    async def cancel(self, ref: RemoteRef) -> None:
        self._ends_at.pop(ref, None)

    async def aclose(self) -> None:
        return None


FIRST, SECOND, EMBEDDED = "first", "second", "embedded"
HOSTED = (FIRST, SECOND)
_FILES = tuple(RemoteFile(f"stems/{stem}", stem) for stem in (Stem.INSTRUMENTAL, Stem.VOCALS))
_REFUSALS: Mapping[Script, Callable[[], ProviderError]] = {
    Script.BUSY: lambda: ProviderBusy(retry_after_s=0.2),
    Script.DOWN: ProviderDown,
    Script.REFUSED: ProviderRefused,
}
