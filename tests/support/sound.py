"""Songs with known parts, encoded as vendors do, and the audio code run in-process."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np
import numpy.typing as npt

from bot.audio.all_tasks import Answer, Task
from bot.audio.answers import accepted
from bot.audio.child import __main__ as child
from bot.audio.spool import SAMPLE_RATE
from bot.audio.tasks import Encoded
from bot.audio.tools import AudioTools
from bot.domain.recipes import Stem
from tests.support import audio_files
from tests.support.fakes import FakeAudio

Sound = npt.NDArray[np.float64]
"""(channels, samples)."""

_A = TypeVar("_A", bound=Answer)


class AudioHere(AudioTools):
    """Runs audio tasks in this process. tests/integration/audio covers the child processes.

    A cancelled task runs to its end, because a thread cannot be killed like a child. Deliveries are
    neither encoded nor drawn, because no test here examines them.
    """

    async def encode(self, stem: Path, into: Path, **options: Any) -> Encoded:
        return await FakeAudio().encode(stem, into, **options)

    async def picture(self, stems: Sequence[tuple[str, Path]], into: Path) -> Path:
        return await FakeAudio().picture(stems, into)

    async def _run(self, task: Task, kind: type[_A]) -> _A:
        work = asyncio.create_task(asyncio.to_thread(child._perform, task))
        try:
            answer = await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            raise
        return accepted(task, kind, answer)


def tones(*notes_hz: float, level: float = 0.1, pan: float = 0.5, seconds: float = 2.5) -> Sound:
    """Return successive notes, each with harmonics and a decay."""
    time = np.arange(int(seconds * SAMPLE_RATE / len(notes_hz))) / SAMPLE_RATE
    notes = [
        sum(np.sin(2 * np.pi * hz * k * time + k) / k for k in range(1, 9)) * np.exp(-2 * time)
        for hz in notes_hz
    ]
    wave = np.zeros(int(seconds * SAMPLE_RATE))
    wave[: len(notes) * len(time)] = level * np.concatenate(notes)
    return np.stack([wave * np.cos(pan * np.pi / 2), wave * np.sin(pan * np.pi / 2)])


def noise(seed: int, *, level: float = 0.05, seconds: float = 2.5) -> Sound:
    """Return noise below 6 kHz, which MP3 preserves, independent in each channel."""
    white = np.random.default_rng(seed).normal(0, 1, (2, int(seconds * SAMPLE_RATE)))
    dull = low_passed(white, 6_000)
    return np.asarray(level * dull / audio_files.rms(dull))


def low_passed(sound: Sound, hz: float) -> Sound:
    """Attenuate frequencies above `hz`, more strongly the higher they are."""
    spectrum = np.fft.rfft(sound)
    frequencies = np.fft.rfftfreq(sound.shape[1], 1 / SAMPLE_RATE)
    return np.fft.irfft(spectrum / (1 + (frequencies / hz) ** 12), sound.shape[1])


def parts(seconds: float = 2.5) -> dict[Stem, Sound]:
    """Return four easily distinguishable stems that add up to a song."""
    return {
        Stem.VOCALS: tones(440, 523, 659, 587, 494, level=0.2, seconds=seconds),
        Stem.DRUMS: noise(1, level=0.04, seconds=seconds),
        Stem.BASS: tones(55, 65, 49, 41, level=0.15, seconds=seconds),
        Stem.OTHER: tones(262, 330, 392, level=0.1, pan=0.2, seconds=seconds),
    }


def mixed(sounds_: Mapping[Stem, Sound], *without: Stem) -> Sound:
    """Add up the parts, leaving out those in `without`."""
    kept = [each for stem, each in sounds_.items() if stem not in without]
    return np.asarray(np.sum(kept, axis=0))


def mp3(path: Path, sound: Sound, *, gain: float = 1.0) -> Path:
    """Write an MP3 without the header that states its encoder delay."""
    return audio_files.write(
        path,
        "mp3",
        "libmp3lame",
        sound=gain * sound,
        bit_rate=256_000,
        options={"write_xing": "0"},
    )


def wav(path: Path, sound: Sound) -> Path:
    return audio_files.write(path, "wav", "pcm_s16le", sound=sound)


def flac(path: Path, sound: Sound) -> Path:
    return audio_files.write(path, "flac", "flac", sound=sound)


def cut(path: Path, share: float = 0.5) -> Path:
    """Truncate a file as a broken connection does."""
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    return path


def heard(path: Path) -> Sound:
    """Decode any file to a (channels, samples) array."""
    with av.open(str(path)) as file:
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=SAMPLE_RATE)
        frames = [out for frame in file.decode(audio=0) for out in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray() for frame in frames], axis=1).astype(np.float64)


def decibels(sound: Sound, reference: Sound) -> float:
    """Return the level of one sound relative to another, in dB."""
    return float(20 * np.log10(audio_files.rms(sound) / audio_files.rms(reference) + 1e-9))
