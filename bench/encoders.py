"""Measures the cost and sound quality of encoder settings, one row per setting.

    python -m bench.encoders [--seconds 60]

Quality is measured as the noise-to-mask ratio, the core of PEAQ (ITU-R BS.1387): coding noise
relative to the largest noise that the stem would mask, in quarter-Bark bands, averaged over bands
and non-silent frames. Noise below 0 dB is masked. "heard" is the worst ratio of the left channel,
the right channel and their sum, in the worst of five stems. "difference" is the ratio of left minus
right, which is never heard alone. The clip is fetched once, by pip.
"""

import argparse
import io
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench.material import clip
from bot.audio.spool import SAMPLE_RATE

Pcm = NDArray[np.int16]
"""(frames, 2 channels)."""
Signal = NDArray[np.floating]

_FRAMES = 4608
_DELAY = 4096
"""The largest delay of a decoded file, in frames."""

_COLUMN = 2048
_FULL_SCALE_DB = 92.0
_AUDIBLE_DB = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting of LAME."""

    bit_rate: int
    level: int
    is_joint: bool

    @property
    def name(self) -> str:
        """The setting's name in the table."""
        mode = "joint stereo" if self.is_joint else "left and right"
        return f"{self.bit_rate // 1000} kbit/s, level {self.level}, {mode}"


SETTINGS = tuple(
    Setting(bit_rate=bit_rate, level=level, is_joint=is_joint)
    for bit_rate, level, is_joint in (
        (256_000, 2, True),
        (256_000, 5, True),
        (256_000, 7, True),
        (256_000, 9, True),
        (256_000, 7, False),
        (192_000, 7, True),
        (192_000, 7, False),
        (128_000, 7, True),
    )
)


class Ear:
    """The masking model of PEAQ's basic version: bands, internal noise, spreading and offset."""

    def __init__(self) -> None:
        frequency = np.fft.rfftfreq(_COLUMN, 1 / SAMPLE_RATE)
        lowest, highest = _bark(np.array([80.0, 18_000.0])).tolist()
        edges = np.arange(lowest, highest, 0.25)
        centres = edges[:-1] + 0.125
        position = np.digitize(_bark(frequency), edges) - 1
        self._bands = (position[:, np.newaxis] == np.arange(len(centres))).astype(float)
        for band in np.flatnonzero(self._bands.sum(axis=0) == 0):
            self._bands[np.abs(_bark(frequency) - centres[band]).argmin(), band] = 1
        distance = centres[np.newaxis] - centres[:, np.newaxis]
        spread = np.where(distance < 0, 10 ** (2.7 * distance), 10 ** (-1.2 * distance))
        self._spread = spread / spread.sum(axis=1, keepdims=True)
        hertz = 650 * np.sinh(centres / 7)
        self._internal = 10 ** (0.1456 * (hertz / 1000) ** -0.8)
        self._offset = 10 ** (-np.where(centres <= 12, 3.0, 0.25 * centres) / 10)
        self._window = np.hanning(_COLUMN)
        self._scale = 10 ** (_FULL_SCALE_DB / 10) / (self._window.sum() / 2) ** 2

    def noise_to_mask_db(self, signal: Signal, coded: Signal) -> float:
        """Return the noise-to-mask ratio in dB, minus infinity for a silent signal."""
        power, noise = self._excitation(signal), self._excitation(signal - coded)
        mask = ((power + self._internal) @ self._spread) * self._offset
        heard = power.sum(axis=1) > 10 ** (_AUDIBLE_DB / 10)
        if not heard.any():
            return -np.inf
        return float(10 * np.log10((noise / mask).mean(axis=1)[heard].mean()))

    def _excitation(self, signal: Signal) -> Signal:
        columns = np.lib.stride_tricks.sliding_window_view(signal, _COLUMN)[:: _COLUMN // 2]
        power = np.square(np.abs(np.fft.rfft(columns * self._window))) * self._scale
        return np.asarray(power @ self._bands)


def _bark(hertz: Signal) -> Signal:
    return 7 * np.arcsinh(hertz / 650)


def encode(pcm: Pcm, setting: Setting) -> bytes:
    """Encode to memory as the bot does."""
    options = {"compression_level": str(setting.level), "joint_stereo": str(int(setting.is_joint))}
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as out:
        stream = out.add_stream("libmp3lame", rate=SAMPLE_RATE, options=options, layout="stereo")
        stream.bit_rate = setting.bit_rate
        for start in range(0, len(pcm), _FRAMES):
            block = pcm[start : start + _FRAMES].reshape(1, -1)
            frame = AudioFrame.from_ndarray(block, format="s16", layout="stereo")
            frame.sample_rate = SAMPLE_RATE
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()


def decode(mp3: bytes, like: Signal) -> Signal:
    """Decode, and remove the encoder delay."""
    resampler = av.AudioResampler(format="flt", layout="stereo", rate=SAMPLE_RATE)
    with av.open(io.BytesIO(mp3), "r") as container:
        parts = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    coded = np.concatenate([part.to_ndarray().reshape(-1, 2) for part in parts]).astype(float)
    size = 1 << 18
    spectra = np.fft.rfft(coded[:size, 0], 2 * size), np.fft.rfft(like[:size, 0], 2 * size)
    lag = int(np.argmax(np.fft.irfft(spectra[0] * spectra[1].conj())[:_DELAY]))
    return coded[lag : lag + len(like)]


def ratios_db(ear: Ear, pcm: Pcm, mp3: bytes) -> tuple[float, float]:
    """Return the noise-to-mask ratios of the audible signal and of left minus right."""
    signal = pcm / 32_768
    coded = decode(mp3, signal)
    (left, right), (left_coded, right_coded) = signal[: len(coded)].T, coded.T
    heard = max(
        ear.noise_to_mask_db(left, left_coded),
        ear.noise_to_mask_db(right, right_coded),
        ear.noise_to_mask_db(left + right, left_coded + right_coded),
    )
    return heard, ear.noise_to_mask_db(left - right, left_coded - right_coded)


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def row(ear: Ear, stems: Sequence[Pcm], setting: Setting, seconds: float) -> tuple[str, ...]:
    """Measure one setting."""
    repeated = [np.tile(pcm, (-(-int(seconds * SAMPLE_RATE) // len(pcm)), 1)) for pcm in stems]
    begun = _cpu_s()
    for pcm in repeated:
        encode(pcm, setting)
    minutes = sum(map(len, repeated)) / SAMPLE_RATE / 60
    minute_s = (_cpu_s() - begun) / minutes
    heard, difference = np.max([ratios_db(ear, pcm, encode(pcm, setting)) for pcm in stems], axis=0)
    return setting.name, f"{minute_s:.2f}", f"{heard:.1f}", f"{difference:.1f}"


def main() -> None:
    """Measure every setting and print a table."""
    parser = argparse.ArgumentParser(prog="bench.encoders", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="a stem, for CPU time")
    parser.add_argument("--cache", type=Path, default=Path("data/bench"))
    arguments = parser.parse_args()
    stems = [
        np.rint(audio.T * 32_768).clip(-32_768, 32_767).astype(np.int16)
        for audio in clip(arguments.cache).values()
    ]
    columns = ("LAME", "CPU s a minute", "heard", "difference")
    table = Table(*columns, title="CPU time, and noise over mask in dB")
    for setting in SETTINGS:
        table.add_row(*row(Ear(), stems, setting, arguments.seconds))
    Console().print(table)


if __name__ == "__main__":
    main()
