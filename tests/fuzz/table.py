"""The table of odd files, with each file's outcome and whether it is right."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.audio.child.decoding.decode import decode
from bot.audio.spool import SAMPLE_RATE
from bot.audio.tasks import Decoded, DecodeTask
from bot.domain.errors import Rejected
from bot.ui.texts import messages
from tests.fuzz.odd_files import BAD, GOOD, LONGEST_S, Bad, Good, Passage
from tests.support import audio_files

_SLACK_S = 0.11
"""Encoders add up to two frames, as does the seam between two files."""
_EDGE_S = 0.15
_SLACK_HZ = 4.0
_FAINTEST = 0.05
"""The least level, relative to the strongest pitch, at which a pitch counts as heard."""
_SILENT = 2e-3
_MOST_NAMED = 3

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Row:
    """A file, its outcome, and what is wrong with it (empty if nothing)."""

    name: str
    outcome: str
    fault: str


def rows(folder: Path) -> Iterator[Row]:
    """Write and decode every odd file."""
    for good in GOOD:
        yield good_row(good, folder)
    for bad in BAD:
        yield bad_row(bad, folder)


def good_row(good: Good, folder: Path) -> Row:
    """Decode a file that should be decoded, and compare length and pitches."""
    try:
        decoded, samples = _decoded(good.make(folder / "odd"), folder)
    except Rejected as exc:
        return Row(good.name, exc.problem.reason, "refused")
    outcome = f"{decoded.duration_s:.2f} s of {decoded.codec}"
    if decoded.ends_early:
        outcome += ", breaks off"
    faults = [*_length_faults(good, decoded), *_pitch_faults(good.heard, samples)]
    return Row(good.name, outcome, "; ".join(faults))


def bad_row(bad: Bad, folder: Path) -> Row:
    """Decode a file that should be refused, and compare the reason."""
    try:
        decoded, _ = _decoded(bad.make(folder / "odd"), folder)
    except Rejected as exc:
        fault = "" if exc.problem.reason is bad.reason else f"not {bad.reason}"
        return Row(bad.name, messages.problem(exc.problem), fault)
    return Row(bad.name, f"{decoded.duration_s:.2f} s of {decoded.codec}", f"not {bad.reason}")


def _decoded(source: Path, folder: Path) -> tuple[Decoded, Samples]:
    spool = folder / "odd.f32"
    task = DecodeTask(source=source, into=spool, max_frames=int(LONGEST_S * SAMPLE_RATE))
    return decode(task), audio_files.read_spool(spool)


def _length_faults(good: Good, decoded: Decoded) -> Iterator[str]:
    wanted_s = sum(passage.seconds for passage in good.heard)
    if abs(decoded.duration_s - wanted_s) > _SLACK_S:
        yield f"not {wanted_s:.2f} s"
    if decoded.ends_early is not good.ends_early:
        yield "said to break off" if decoded.ends_early else "not said to break off"


def _pitch_faults(heard: tuple[Passage, ...], samples: Samples) -> Iterator[str]:
    start_s = 0.0
    for passage in heard:
        end_s = start_s + passage.seconds
        middle = samples[_frame(start_s + _EDGE_S) : _frame(end_s - _EDGE_S)]
        start_s = end_s
        if not passage.pitches_hz:
            if np.abs(middle).max(initial=0.0) > _SILENT:
                yield "sound in a hole"
            continue
        if not len(middle):
            yield "too short to be heard"
            continue
        found = _pitches(middle)
        wanted = passage.pitches_hz
        missing = [hz for hz in wanted if not any(_is_near(hz, each) for each in found)]
        others = [hz for hz in found if not any(_is_near(hz, each) for each in wanted)]
        yield from (f"{hz:.0f} Hz not heard" for hz in missing)
        yield from (f"{hz:.0f} Hz heard" for hz in others[:_MOST_NAMED])


def _frame(at_s: float) -> int:
    return round(at_s * SAMPLE_RATE)


def _is_near(one_hz: float, other_hz: float) -> bool:
    return abs(one_hz - other_hz) < _SLACK_HZ


def _pitches(samples: Samples) -> list[float]:
    """Return the peaks in the spectrum of both channels."""
    window = np.hanning(len(samples))
    spectrum = np.abs(np.fft.rfft(samples.sum(axis=1) * window))
    peaks = (spectrum[1:-1] > spectrum[:-2]) & (spectrum[1:-1] >= spectrum[2:])
    loud = spectrum[1:-1] > _FAINTEST * spectrum.max()
    hz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)[1:-1]
    return [float(each) for each in hz[peaks & loud]]
