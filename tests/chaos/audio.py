"""Fake audio tools for the scenes, which save the CPU time of real ones."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.audio.tasks import Combined, Decoded, Encoded, Mix
from bot.audio.tools import AudioTools
from bot.domain.errors import Reason, Rejected
from tests.chaos.services import Script
from tests.support.fakes import FakeAudio


@dataclass
class ScriptedAudio(FakeAudio):
    """Treats every file as a song of 100 s, unless its content begins with "broken" or "hollow"."""

    duration_s: float = 100.0
    encodings: Path = Path("/dev/null")
    """The file that gains a line for each encoded file."""
    waits: Path = Path("/dev/null/none")
    """While this file exists, encoding waits."""
    hollow: set[Path] = field(default_factory=set)
    """The folders of jobs that lose their stems."""

    async def decode(
        self, source: Path, into: Path, *, max_duration_s: float, cover: Path | None = None
    ) -> Decoded:
        content = source.read_bytes()
        if content.startswith(Script.BROKEN.encode()):
            raise Rejected(Reason.BROKEN_FILE)
        if content.startswith(Script.HOLLOW.encode()):
            self.hollow.add(into.parent)
        return await super().decode(source, into, max_duration_s=max_duration_s, cover=cover)

    async def combine(self, mixes: Sequence[Mix], *, frames: int | None = None) -> Combined:
        combined = await super().combine(mixes, frames=frames)
        for mix in mixes:
            if mix.path.parent.parent in self.hollow:
                mix.path.write_bytes(b"")
        return combined

    async def encode(self, stem: Path, into: Path, **options: Any) -> Encoded:
        while self.waits.exists():
            await asyncio.sleep(0.02)
        with self.encodings.open("a") as lines:
            lines.write(f"{into.name}\n")
        return await super().encode(stem, into, **options)


@dataclass
class DecodingAudio(ScriptedAudio):
    """Really decodes uploaded files, but fakes the stems."""

    tools: AudioTools = field(default_factory=AudioTools)
    master_bytes: int = 4

    async def decode(
        self, source: Path, into: Path, *, max_duration_s: float, cover: Path | None = None
    ) -> Decoded:
        is_song = source.parent == into.parent and source.suffix == ""
        decode = self.tools.decode if is_song else super().decode
        return await decode(source, into, max_duration_s=max_duration_s)

    async def combine(self, mixes: Sequence[Mix], *, frames: int | None = None) -> Combined:
        combined = await super().combine(mixes, frames=frames)
        for mix in mixes:
            mix.path.write_bytes(bytes(self.master_bytes))
        return combined
