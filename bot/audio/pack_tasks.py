"""The audio tasks for the mixer page: packs that stream all stems, and the stems' peaks.

A pack holds `PACK_S` seconds of every stem, encoded separately, in the order of the stems:
`u32 n, u32 length x n, payloads`, all little-endian. A length of 0 stands for silence.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from bot.audio.spool import SAMPLE_RATE
from bot.audio.tasks import OwnFilesTask, own_files_budget
from bot.processes.limits import Budget

PACK_S: Final = 2
PACK_FRAMES: Final = PACK_S * SAMPLE_RATE
PEAKS: Final = 600
"""The number of slices of a stem that the page draws."""


class PackCodec(StrEnum):
    """The encoding of packs; the value is the suffix of their file names."""

    OPUS = "opus"
    FLAC = "flac"


PACK_RATES: Mapping[PackCodec, int] = {PackCodec.OPUS: 48_000, PackCodec.FLAC: SAMPLE_RATE}
"""The sample rates of decoded packs. A browser would resample each piece separately."""


def pack_count(frames: int) -> int:
    """Return how many packs a song of this length has."""
    return math.ceil(frames / PACK_FRAMES)


def pack_name(number: int, codec: PackCodec) -> str:
    """Return the name of a pack's file."""
    return f"{number}.{codec}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackTask(OwnFilesTask):
    """Write all packs of some masters into a folder, in playing order; keep existing packs.

    Masters shorter than `frames` are padded with silence.
    """

    stems: tuple[Path, ...]
    into: Path
    codec: PackCodec
    frames: int

    @property
    def inputs(self) -> tuple[Path, ...]:
        return self.stems

    @property
    def outputs(self) -> tuple[Path, ...]:
        numbers = range(pack_count(self.frames))
        return tuple(self.into / pack_name(number, self.codec) for number in numbers)

    @property
    def budget(self) -> Budget:
        return own_files_budget(thread_pools=2 * len(self.stems) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """The size of the written packs in bytes, without packs that existed before."""

    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeaksTask(OwnFilesTask):
    """Measure the peak levels of masters in `slices` equal slices, at most 1,000."""

    stems: tuple[Path, ...]
    slices: int

    @property
    def inputs(self) -> tuple[Path, ...]:
        return self.stems


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """Each stem's peaks in base64: one byte a slice, 255 for full height in the picture."""

    stems: tuple[str, ...]
