"""Cuts the best few seconds of a song for a soundboard."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from bot.audio.child.audio_writer import writer
from bot.audio.child.encode import mp3
from bot.audio.child.master import Samples
from bot.audio.child.rendering.sample_source import blocks, opened_mix
from bot.audio.clip_task import MOST_CLIP_BYTES, Clipped, ClipTask
from bot.audio.rendition_tasks import MasterPart, frames_of
from bot.audio.spool import SAMPLE_RATE
from bot.audio.tasks import DoesNotFit, part_of

LOUDEST = 10 ** (-1 / 20)
"""The highest sample of a clip: -1 dBFS, which leaves the encoder some headroom."""

_SILENT = 10 ** (-60 / 20)
"""A passage whose peak is below this is not made louder."""
_SLICE_FRAMES = SAMPLE_RATE // 50
_SLICES_A_READ = 50
_STEP_FRAMES = 5 * _SLICE_FRAMES
_WEIGHT_OF_OTHERS = 0.5
_FADE_IN_FRAMES = 5 * SAMPLE_RATE // 1000
_FADE_OUT_FRAMES = SAMPLE_RATE // 5
_BIT_RATE = 192_000

_Levels = NDArray[np.float64]


def clip(task: ClipTask) -> Clipped:
    """Write the clip. Raises DoesNotFit if it is larger than Discord accepts."""
    start = _best_start(task)
    sound = _finished(_passage(task.stem, start, task.frames))
    part = part_of(task.into)
    with writer(part, mp3(joint_stereo=True), tags={}, bit_rate=_BIT_RATE) as write:
        frame = AudioFrame.from_ndarray(sound.reshape(1, -1), format="flt", layout="stereo")
        frame.sample_rate = SAMPLE_RATE
        write(frame)
    size_bytes = part.stat().st_size
    if size_bytes > MOST_CLIP_BYTES:
        raise DoesNotFit(needed_bytes=size_bytes, max_bytes=MOST_CLIP_BYTES)
    part.replace(task.into)
    return Clipped(start=start, frames=task.frames, size_bytes=size_bytes)


def _best_start(task: ClipTask) -> int:
    """Return the first frame of the loudest passage, or of the earliest if several are equal."""
    room = frames_of(task.stem) - task.frames
    starts = [beat for beat in task.beats if 0 <= beat <= room]
    starts = starts or list(range(0, room + 1, _STEP_FRAMES))
    scores = _mean_levels([task.stem], task, starts)
    if task.others:
        scores += _WEIGHT_OF_OTHERS * _mean_levels(task.others, task, starts)
    return starts[int(np.argmax(scores))]


def _mean_levels(masters: Sequence[Path], task: ClipTask, starts: Sequence[int]) -> _Levels:
    """Return the mean level of the masters' sum in the passage after each start."""
    levels = _levels(masters, frames_of(task.stem))
    sums = np.concatenate([[0.0], np.cumsum(levels)])
    first = np.asarray(starts) // _SLICE_FRAMES
    width = max(1, task.frames // _SLICE_FRAMES)
    means: _Levels = (sums[np.minimum(first + width, len(levels))] - sums[first]) / width
    return means


def _levels(masters: Sequence[Path], frames: int) -> _Levels:
    """Return the level (RMS) of the masters' sum in each slice of 20 ms."""
    levels = [np.zeros(0)]
    with opened_mix([MasterPart(master=each) for each in masters]) as mix:
        for block in blocks(mix, frames, most=_SLICES_A_READ * _SLICE_FRAMES):
            padded = np.pad(block, ((0, -len(block) % _SLICE_FRAMES), (0, 0)))
            power = np.square(padded, dtype=np.float64).reshape(-1, _SLICE_FRAMES * 2)
            levels.append(np.sqrt(power.mean(axis=1)))
    return np.concatenate(levels)


def _passage(master: Path, start: int, frames: int) -> Samples:
    with opened_mix([MasterPart(master=master)]) as source:
        for _ in blocks(source, start):
            pass
        return source.read(frames)


def _finished(sound: Samples) -> Samples:
    """Fade the sound in and out, and normalise its peak."""
    into = min(_FADE_IN_FRAMES, len(sound))
    out = min(_FADE_OUT_FRAMES, len(sound))
    faded = sound.copy()
    faded[:into] *= np.linspace(0, 1, into, dtype=np.float32)[:, np.newaxis]
    faded[len(sound) - out :] *= np.linspace(1, 0, out, dtype=np.float32)[:, np.newaxis]
    peak = float(np.abs(faded).max(initial=0.0))
    return faded * np.float32(LOUDEST / peak) if peak > _SILENT else faded
