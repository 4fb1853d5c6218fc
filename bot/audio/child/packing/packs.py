"""Writes a job's packs, files that each hold two seconds of every stem."""

import struct
from base64 import b64encode
from collections.abc import Sequence

import numpy as np

from bot.audio.child import waveform
from bot.audio.child.master import Samples
from bot.audio.child.packing.chunk_codecs import CHUNK_CODECS, ChunkCodec
from bot.audio.child.packing.chunks import chunks
from bot.audio.child.picture import heights
from bot.audio.pack_tasks import Packed, PackTask, Peaks, PeaksTask
from bot.audio.spool import SAMPLE_RATE
from bot.audio.tasks import part_of

_INAUDIBLE = 1e-4
"""Samples below this are silence even for a stem that plays alone: -80 dBFS."""


def pack(task: PackTask) -> Packed:
    """Write the packs in playing order, so that playback can begin with the first."""
    codec = CHUNK_CODECS[task.codec]
    grid = codec.grid(task.codec, task.frames / SAMPLE_RATE)
    cut = zip(*(chunks(stem, grid) for stem in task.stems), strict=True)
    size_bytes = 0
    for path, length, sounds in zip(task.outputs, grid.lengths(), cut, strict=True):
        if path.exists():
            continue
        payload = joined([_encoded(codec, sound, length) for sound in sounds])
        part = part_of(path)
        part.write_bytes(payload)
        part.replace(path)
        size_bytes += len(payload)
    return Packed(size_bytes=size_bytes)


def measure_peaks(task: PeaksTask) -> Peaks:
    """Measure the stems' peaks as the picture does, without decoding the stems."""
    waves = [waveform.measure(stem, task.slices) for stem in task.stems]
    told = (np.rint(255 * row).astype(np.uint8).tobytes() for row in heights(waves))
    return Peaks(stems=tuple(b64encode(row).decode() for row in told))


def joined(payloads: Sequence[bytes]) -> bytes:
    """Return a pack of the stems' payloads."""
    head = struct.pack(f"<{1 + len(payloads)}I", len(payloads), *map(len, payloads))
    return head + b"".join(payloads)


def _encoded(codec: ChunkCodec, sound: Samples, length: int) -> bytes:
    own = sound[codec.before : codec.before + length]
    return codec.encode(sound, length) if np.abs(own).max() >= _INAUDIBLE else b""
