"""A worker whose provider only waits: `python -m tests.support.waiting_worker`.

WAIT_S is the time for a song, WAIT_MODELS are the names of the models, and WAIT_DAMAGED those whose
files cannot be loaded. The first WAIT_FAILS songs fail. A song that begins with POISON kills the
worker, and one that begins with BAD fails.
"""

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bot.cli.shutdown import exit_now
from bot.cli.worker_role import run_with
from bot.config import Settings, load_settings
from bot.domain.attempt import RemoteFile, RemoteRef
from bot.domain.recipes import Stem
from bot.providers.interface import (
    Accepted,
    Call,
    Capabilities,
    Failed,
    Finished,
    Lost,
    Model,
    Provider,
    Running,
    Source,
)

POISON: Final = b"poison.."
BAD: Final = b"bad....."
STEMS: Final = frozenset({Stem.VOCALS, Stem.INSTRUMENTAL})


class Waiting:
    """Returns the song itself as every stem, after a while."""

    def __init__(
        self, *, wait_s: float, models: Sequence[str], damaged: Sequence[str], fails: int
    ) -> None:
        self._wait_s = wait_s
        self._fails = fails
        self._bad: set[RemoteRef] = set()
        self._damaged = damaged
        self._found_damaged: set[str] = set()
        self._calls: dict[RemoteRef, tuple[float, Call, Source]] = {}
        self.capabilities = Capabilities(
            name="waiting",
            title="Waiting",
            models=tuple(Model(name=name, stems=STEMS, sums_to_song=True) for name in models),
            is_hosted=False,
            is_resubmittable=True,
            can_cancel=True,
            concurrency=1,
            poll_interval_s=0.05,
            gives_spools=True,
        )

    async def submit(self, call: Call, source: Source) -> Accepted:
        content = await asyncio.to_thread(source.mixture.read_bytes)
        if content.startswith(POISON):
            os.kill(os.getpid(), signal.SIGKILL)
        ref = RemoteRef(f"{call.job_id}-{call.attempt}")
        self._calls[ref] = (time.monotonic(), call, source)
        if content.startswith(BAD):
            self._bad.add(ref)
        return Accepted(ref)

    def trouble_with(self, model: Model) -> str | None:
        return "it is damaged" if model.name in self._found_damaged else None

    async def poll(self, ref: RemoteRef) -> Running | Finished | Failed | Lost:
        if ref not in self._calls:
            return Lost()
        began_at, call, _ = self._calls[ref]
        fraction = (time.monotonic() - began_at) / self._wait_s if self._wait_s else 1.0
        if fraction < 1:
            return Running(fraction)
        if call.model.name in self._damaged:
            self._found_damaged.add(call.model.name)
            return Failed("the model cannot be loaded")
        if ref in self._bad:
            return Failed("the song is bad")
        if self._fails:
            self._fails -= 1
            return Failed("it is told to")
        return Finished(tuple(RemoteFile(ref, stem) for stem in sorted(call.model.stems)))

    async def fetch(self, file: RemoteFile, into: Path) -> None:
        _, _, source = self._calls[RemoteRef(file.address)]
        await asyncio.to_thread(lambda: into.write_bytes(source.mixture.read_bytes()))

    async def cancel(self, ref: RemoteRef) -> None:
        self._calls.pop(ref, None)

    async def aclose(self) -> None:
        return None


async def build(settings: Settings) -> Sequence[Provider]:
    del settings
    models = os.environ.get("WAIT_MODELS", "spleeter").split(",")
    damaged = os.environ.get("WAIT_DAMAGED", "").split(",")
    wait_s = float(os.environ.get("WAIT_S", "0"))
    fails = int(os.environ.get("WAIT_FAILS", "0"))
    return (Waiting(wait_s=wait_s, models=models, damaged=damaged, fails=fails),)


if __name__ == "__main__":
    exit_now(run_with(build, load_settings(None)))
