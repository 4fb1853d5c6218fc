"""Finds a passage in which several spools are audible at the same time."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.audio.spool import CHANNELS, FRAME_BYTES, SAMPLE_RATE
from bot.audio.tasks import Passage, PassageTask

_BLOCK_FRAMES = SAMPLE_RATE // 2


def find_passage(task: PassageTask) -> Passage:
    """Return the passage in which the quietest of the spools is loudest.

    Silent spools are ignored unless all of them are silent.
    """
    powers = [_block_powers(path) for path in task.spools]
    audible = [each for each in powers if each.any()] or powers
    length = max(map(len, audible))
    width = max(1, task.frames // _BLOCK_FRAMES)
    passages = [_passage_powers(each, length, width) for each in audible]
    return Passage(start=int(np.argmax(np.min(passages, axis=0))) * _BLOCK_FRAMES)


def _block_powers(path: Path) -> npt.NDArray[np.float64]:
    powers = []
    with path.open("rb") as file:
        while raw := file.read(_BLOCK_FRAMES * FRAME_BYTES):
            samples = np.frombuffer(raw, "<f4", len(raw) // FRAME_BYTES * CHANNELS)
            powers.append(float(np.square(samples, dtype=np.float64).sum()))
    return np.asarray(powers)


def _passage_powers(
    powers: npt.NDArray[np.float64], length: int, width: int
) -> npt.NDArray[np.float64]:
    """Return the power of every passage of `width` blocks within the song."""
    padded = np.pad(powers, (0, max(length, width) - len(powers)))
    return np.convolve(padded, np.ones(width), mode="valid")
