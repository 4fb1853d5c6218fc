"""Mixes clicks into a spool."""

from pathlib import Path

import numpy as np

from bot.audio.child.master import Samples
from bot.audio.click_track import ClickTrack
from bot.audio.spool import CHANNELS, FRAME_BYTES, SAMPLE_RATE, frames_in

_BEAT_HZ, _BAR_HZ = 1_600, 2_100
_BURST_S = 1.8e-3
_BELOW_PEAK_DB = 12
_PEAK_WITHOUT_SOUND = 0.5


def add_clicks(spool: Path, track: ClickTrack, *, peak: float) -> None:
    """Add clicks to a spool whose peak level is `peak`; leave out those that would pass its end."""
    level = (peak or _PEAK_WITHOUT_SOUND) * 10 ** (-_BELOW_PEAK_DB / 20)
    length = frames_in(spool)
    with spool.open("r+b") as file:
        for hz, starts in ((_BEAT_HZ, track.beats), (_BAR_HZ, track.bars)):
            burst = _burst(hz, level)
            for start in (each for each in starts if each + len(burst) <= length):
                file.seek(start * FRAME_BYTES)
                here = np.frombuffer(file.read(burst.nbytes), "<f4").reshape(-1, CHANNELS)
                file.seek(start * FRAME_BYTES)
                file.write((here + burst).astype("<f4").tobytes())


def _burst(hz: float, level: float) -> Samples:
    """Return a burst of a sine, the same in both channels."""
    time_s = np.arange(round(_BURST_S * SAMPLE_RATE)) / SAMPLE_RATE
    wave = level * np.sin(2 * np.pi * hz * time_s) * np.hanning(len(time_s))
    return np.repeat(wave[:, np.newaxis], CHANNELS, axis=1).astype(np.float32)
