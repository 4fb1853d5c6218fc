"""Reads and writes masters: finished stems, kept as 16-bit stereo FLAC at 44.1 kHz.

Samples are rounded to 16 bits without dither: a job's stems must add up to the song, and dither
would add noise to every stem.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.container import InputContainer
from numpy.typing import NDArray

from bot.audio.child.audio_writer import Encoding, writer
from bot.audio.spool import CHANNELS, SAMPLE_RATE

Samples = NDArray[np.float32]

LOUDEST = 32_767 / 32_768
"""The largest sample that 16 bits can hold, where full scale is 1.0."""

_STEPS = 32_768
_FLAC = Encoding(container="flac", codec="flac")
_NO_TAGS: Mapping[str, str] = MappingProxyType({})


@contextmanager
def written(
    path: Path, *, tags: Mapping[str, str] = _NO_TAGS
) -> Iterator[Callable[[Samples], None]]:
    """Open a master and yield a function that appends a block of stereo samples to it."""
    with writer(path, _FLAC, tags=tags) as write_frame:

        def write(block: Samples) -> None:
            steps = np.rint(block * _STEPS).clip(-_STEPS, _STEPS - 1).astype(np.int16)
            frame = AudioFrame.from_ndarray(steps.reshape(1, -1), format="s16", layout="stereo")
            frame.sample_rate = SAMPLE_RATE
            write_frame(frame)

        yield write


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """Open a master for reading."""
    with path.open("rb") as file, av.open(file, "r", format="flac") as container:
        yield container


def frames_in(container: InputContainer) -> int:
    """Return the length in stereo frames, from the header that the encoder wrote at the end."""
    return container.streams.audio[0].duration or 0


def blocks(container: InputContainer) -> Iterator[Samples]:
    """Yield the samples in blocks of several thousand stereo frames."""
    for frame in container.decode(container.streams.audio[0]):
        steps = frame.to_ndarray().reshape(-1, CHANNELS)
        yield steps.astype(np.float32) / np.float32(_STEPS)
