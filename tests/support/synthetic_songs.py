"""Synthetic songs with known key, tempo, tuning, beats and bar lines, the same for a seed.

Songs consist of stems, made from additive tones and shaped noise at 22,050 Hz.
`songs(seed)` has every key, tempos spread evenly from 60 to 180 BPM, five styles, some swing, some
drift, and all tunings up to 30 cents.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.audio.child import master
from bot.domain.analysis import PITCH_CLASSES, Key
from bot.domain.recipes import Stem

RATE = 22_050
BEATS_PER_BAR = 4
_BLOCK = 1 << 16

Wave = NDArray[np.float64]
"""One channel at `RATE`."""


class Style(StrEnum):
    ROCK = "rock"
    FOUR_ON_THE_FLOOR = "four on the floor"
    HALF_TIME = "half time"
    FUNK = "funk"
    BALLAD = "ballad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """A song's parameters; `swing` delays every second eighth, by up to a third of an eighth."""

    key: Key
    bpm: float
    style: Style = Style.ROCK
    cents: float = 0.0
    swing: float = 0.0
    drift: float = 0.0
    seconds: float = 45.0
    beats_per_bar: int = BEATS_PER_BAR
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Song:
    """A song's stems and beats, in seconds; every `beats_per_bar`th beat begins a bar."""

    truth: Truth
    stems: dict[Stem, Wave]
    beats_s: Wave

    def mixed(self, *names: Stem) -> Wave:
        """Add stems up, by default all."""
        return np.asarray(sum(self.stems[name] for name in names or self.stems))

    def soiled(self, *, bleed_db: float = -18.0, noise_db: float = -45.0) -> "Song":
        """Return the song as if poorly separated: every stem has noise and some of all others."""
        rng = np.random.default_rng(self.truth.seed + 1)
        bleed, noise = 10 ** (bleed_db / 20), 10 ** (noise_db / 20)
        whole = self.mixed()
        stems = {
            name: wave + bleed * (whole - wave) + noise * rng.normal(0, 1, len(wave))
            for name, wave in self.stems.items()
        }
        return replace(self, stems=stems)


def songs(seed: int, count: int = 60, *, seconds: float = 45.0) -> list[Truth]:
    """Return the parameters of a set of songs. Equal seeds give equal songs."""
    rng = np.random.default_rng(seed)
    bpms = rng.permutation(np.linspace(60, 180, count))
    keys = [number % (2 * PITCH_CLASSES) for number in range(count)]
    styles = rng.permutation([list(Style)[number % len(Style)] for number in range(count)])
    swings = rng.permutation(
        [rng.uniform(0.15, 0.33) if n < count // 5 else 0.0 for n in range(count)]
    )
    drifts = rng.permutation(
        [0.01 * (-1) ** n if n < count * 3 // 20 else 0.0 for n in range(count)]
    )
    return [
        Truth(
            key=Key(tonic=keys[n] % PITCH_CLASSES, is_minor=keys[n] >= PITCH_CLASSES),
            bpm=float(bpms[n]),
            style=Style(styles[n]),
            cents=float(rng.uniform(-30, 30)),
            swing=float(swings[n]),
            drift=float(drifts[n]),
            seconds=seconds,
            seed=seed * 1000 + n,
        )
        for n in range(count)
    ]


def make(truth: Truth) -> Song:
    """Synthesise a song."""
    return _Band(truth).play()


def write(wave: Wave, path: Path) -> Path:
    """Write a wave as a master."""
    loud = _at_twice_the_rate(wave).astype(np.float32)
    with master.written(path) as append:
        for start in range(0, len(loud), _BLOCK):
            append(np.repeat(loud[start : start + _BLOCK, np.newaxis], 2, axis=1))
    return path


# Degrees of the scale, one chord a bar.
_MAJOR_SONGS = ((0, 4, 5, 3), (0, 5, 3, 4), (0, 3, 4, 3), (0, 3, 0, 4), (5, 3, 0, 4), (0, 2, 3, 4))
_MINOR_SONGS = ((0, 5, 2, 6), (0, 3, 4, 0), (0, 6, 5, 4), (0, 3, 5, 4), (0, 5, 3, 4), (0, 6, 5, 6))
_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_MINOR = (0, 2, 3, 5, 7, 8, 10)

# By style: kick, snare, hats, bass and chords, in beats of a bar of four (hats: in beats of one).
_KICK = {
    Style.ROCK: (0, 2, 2.5),
    Style.FOUR_ON_THE_FLOOR: (0, 1, 2, 3),
    Style.HALF_TIME: (0, 1.5),
    Style.FUNK: (0, 0.75, 2.5),
    Style.BALLAD: (0, 2),
}
_SNARE = {
    Style.ROCK: (1, 3),
    Style.FOUR_ON_THE_FLOOR: (1, 3),
    Style.HALF_TIME: (2,),
    Style.FUNK: (1, 3),
    Style.BALLAD: (1, 3),
}
_GHOSTS = {Style.FUNK: (1.75, 2.25)}
_HATS = {
    Style.ROCK: (0, 0.5),
    Style.FOUR_ON_THE_FLOOR: (0.5,),
    Style.HALF_TIME: (0, 0.5),
    Style.FUNK: (0, 0.25, 0.5, 0.75),
    Style.BALLAD: (0,),
}
_BASS = {
    Style.ROCK: (0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5),
    Style.FOUR_ON_THE_FLOOR: (0.5, 1.5, 2.5, 3.5),
    Style.HALF_TIME: (0, 1.5, 3),
    Style.FUNK: (0, 0.75, 2, 2.5, 3.75),
    Style.BALLAD: (0, 2),
}
_CHORDS = {
    Style.ROCK: (0, 1, 2, 3),
    Style.FOUR_ON_THE_FLOOR: (0.5, 1.5, 2.5, 3.5),
    Style.HALF_TIME: (0, 2),
    Style.FUNK: (0.5, 1, 2.75, 3),
    Style.BALLAD: (0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5),
}


class _Band:
    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self._rng = np.random.default_rng(truth.seed)
        self._frames = round(truth.seconds * RATE)
        self._scale = _MINOR if truth.key.is_minor else _MAJOR
        self._stems = {
            name: np.zeros(self._frames + 4 * RATE)
            for name in (Stem.VOCALS, Stem.DRUMS, Stem.BASS, Stem.OTHER)
        }
        self._beats_s = self._beats()
        every = _MINOR_SONGS if truth.key.is_minor else _MAJOR_SONGS
        self._degrees = every[int(self._rng.integers(len(every)))]

    def _beats(self) -> Wave:
        """Return the beats; the tempo drifts evenly from the first to the last."""
        truth, at = self._truth, float(self._rng.uniform(0.1, 0.9))
        beats = []
        while at < truth.seconds:
            beats.append(at)
            at += 60 / truth.bpm / (1 + truth.drift * (at / truth.seconds - 0.5))
        return np.array(beats)

    def play(self) -> Song:
        bars = range(0, len(self._beats_s), self._truth.beats_per_bar)
        for bar, beat in enumerate(bars):
            degree = self._degree(bar)
            self._drum(beat, is_fill=bar % 8 == 7)
            self._accompany(beat, degree, is_seventh=bool(self._rng.random() < 0.2))
            if bar % 4 == 0:
                self._rest(beat)
            else:
                self._sing(beat, degree)
        stems = {name: wave[: self._frames] for name, wave in self._stems.items()}
        loudest = np.abs(np.asarray(sum(stems.values()))).max()
        stems = {name: wave * 0.8 / loudest for name, wave in stems.items()}
        return Song(truth=self._truth, stems=stems, beats_s=self._beats_s)

    def _degree(self, bar: int) -> int:
        """Return a bar's chord. In minor, every second round ends on the dominant.

        Otherwise some rounds would have only chords of the relative major, and an ambiguous key.
        """
        if self._truth.key.is_minor and bar % 8 == 7:
            return 4
        return self._degrees[bar % len(self._degrees)]

    def _at(self, beat: float) -> float:
        """Return the time of a beat or a fraction of a beat, with swing and human timing."""
        whole = np.floor(beat)
        part = beat - whole
        part += self._truth.swing * (0.5 - abs(part - 0.5))
        at = np.interp(whole + part, np.arange(len(self._beats_s)), self._beats_s)
        over = max(0.0, whole + part - (len(self._beats_s) - 1))
        return float(at + over * 60 / self._truth.bpm + self._rng.normal(0, 0.004))

    def _within(self, places: Sequence[float]) -> list[float]:
        return [place for place in places if place < self._truth.beats_per_bar]

    def _drum(self, beat: int, *, is_fill: bool) -> None:
        style = self._truth.style
        for place in self._within(_KICK[style]):
            self._add(Stem.DRUMS, beat + place, self._kick() * self._touch())
        for place in self._within(_SNARE[style]):
            self._add(Stem.DRUMS, beat + place, self._noise(0.18, 700, 4_000) * 0.7 * self._touch())
        for place in self._within(_GHOSTS.get(style, ())):
            self._add(Stem.DRUMS, beat + place, self._noise(0.1, 700, 4_000) * 0.2 * self._touch())
        for whole in range(self._truth.beats_per_bar):
            for place in _HATS[style]:
                accent = 0.35 if place == 0 else 0.25
                hat = self._noise(0.05, 6_000, 10_000) * accent * self._touch()
                self._add(Stem.DRUMS, beat + whole + place, hat)
        if is_fill:
            for place in self._within((3, 3.25, 3.5, 3.75)):
                self._add(Stem.DRUMS, beat + place, self._noise(0.15, 200, 2_000) * 0.5)

    def _accompany(self, beat: int, degree: int, *, is_seventh: bool) -> None:
        style, period = self._truth.style, 60 / self._truth.bpm
        root = self._pitch(degree)
        for place in self._within(_BASS[style]):
            is_fifth = place != 0 and self._rng.random() < 0.2
            pitch = root - 24 + (7 if is_fifth and self._has_fifth(degree) else 0)
            note = self._tone(pitch, 0.8 * period, slope=1.6, decay_s=0.6) * 0.5 * self._touch()
            self._add(Stem.BASS, beat + place, note)
        thirds = (0, 2, 4, 6) if is_seventh else (0, 2, 4)
        pitches = [self._chord_pitch(degree, third) for third in thirds]
        for number, place in enumerate(self._within(_CHORDS[style])):
            chosen = [pitches[number % len(pitches)]] if style is Style.BALLAD else pitches
            length_s = period * (2 if style is Style.HALF_TIME else 0.9)
            for pitch in chosen:
                note = self._tone(pitch, length_s, slope=1.2, decay_s=0.8)
                self._add(Stem.OTHER, beat + place, note * 0.16 * self._touch())

    def _sing(self, beat: int, degree: int) -> None:
        place = float(self._rng.choice((0, 0, 0.5, 1)))
        step = degree + int(self._rng.choice((0, 2, 4)))
        while place < self._truth.beats_per_bar:
            length = float(self._rng.choice((0.5, 0.5, 1, 1, 1.5, 2)))
            if self._rng.random() < 0.85:
                pitch = self._chord_pitch(step % 7, 0) + 12
                note = self._voice(pitch, length * 60 / self._truth.bpm * 0.95)
                self._add(Stem.VOCALS, beat + place, note * 0.3 * self._touch())
            step += int(self._rng.choice((-2, -1, -1, 0, 1, 1, 2)))
            place += length

    def _rest(self, beat: int) -> None:
        """End a phrase on a long tonic."""
        note = self._voice(self._chord_pitch(0, 0) + 12, 2.5 * 60 / self._truth.bpm)
        self._add(Stem.VOCALS, beat, note * 0.3 * self._touch())

    def _pitch(self, degree: int) -> int:
        """Return the MIDI pitch of a degree's root, in the octave up from A 2."""
        wanted = self._truth.key.tonic + self._scale[degree % 7]
        return 57 + (wanted - 9) % PITCH_CLASSES

    def _chord_pitch(self, degree: int, third: int) -> int:
        octave, step = divmod(degree + third, 7)
        wanted = self._scale[step]
        # A minor key's dominant has a raised third.
        if self._truth.key.is_minor and degree == 4 and third == 2:
            wanted += 1
        pitch = self._truth.key.tonic + wanted + PITCH_CLASSES * octave
        return 52 + (pitch - 4) % (2 * PITCH_CLASSES)

    def _has_fifth(self, degree: int) -> bool:
        return (self._scale[(degree + 4) % 7] - self._scale[degree]) % PITCH_CLASSES == 7

    def _hertz(self, pitch: float) -> float:
        return float(440 * 2 ** ((pitch - 69 + self._truth.cents / 100) / PITCH_CLASSES))

    def _tone(self, pitch: int, length_s: float, *, slope: float, decay_s: float) -> Wave:
        time = np.arange(int(length_s * RATE)) / RATE
        phase = 2 * np.pi * self._hertz(pitch) * time
        return self._partials(phase, pitch, slope) * _envelope(time, length_s, decay_s)

    def _voice(self, pitch: int, length_s: float) -> Wave:
        """Sing a note: it glides in from below and ends with vibrato."""
        time = np.arange(int(length_s * RATE)) / RATE
        cents = -120 * np.exp(-time / 0.04) + 35 * np.minimum(1, time / 0.4) * np.sin(
            2 * np.pi * 5.5 * time
        )
        cents += self._rng.normal(0, 6)
        phase = 2 * np.pi * np.cumsum(self._hertz(pitch) * 2 ** (cents / 1200)) / RATE
        rise = np.minimum(1, time / 0.05)
        return self._partials(phase, pitch, 1.0) * rise * _envelope(time, length_s, 3.0)

    def _partials(self, phase: Wave, pitch: int, slope: float) -> Wave:
        most = max(1, min(10, int(9_000 / self._hertz(pitch))))
        shape = self._rng.uniform(0.6, 1.4, most) / np.arange(1, most + 1) ** slope
        # By recurrence: sin((n + 1) p) = 2 cos(p) sin(n p) - sin((n - 1) p).
        twice, before, now = 2 * np.cos(phase), np.zeros_like(phase), np.sin(phase)
        wave = shape[0] * now
        for share in shape[1:]:
            before, now = now, twice * now - before
            wave += share * now
        return np.asarray(wave)

    def _kick(self) -> Wave:
        time = np.arange(int(0.2 * RATE)) / RATE
        phase = 2 * np.pi * (50 * time + 80 * 0.03 * (1 - np.exp(-time / 0.03)))
        return np.asarray(np.sin(phase) * np.exp(-time / 0.08) * np.minimum(1, time / 0.001))

    def _noise(self, length_s: float, low_hz: float, high_hz: float) -> Wave:
        white = self._rng.normal(0, 1, int(length_s * RATE))
        time = np.arange(len(white)) / RATE
        shaped = band_passed(white, low_hz, high_hz)
        return np.asarray(shaped * np.exp(-time / (length_s / 4)))

    def _touch(self) -> float:
        return float(self._rng.uniform(0.75, 1.0))

    def _add(self, stem: Stem, beat: float, sound: Wave) -> None:
        start = max(0, round(self._at(beat) * RATE))
        room = self._stems[stem][start : start + len(sound)]
        room += sound[: len(room)]


def band_passed(wave: Wave, low_hz: float, high_hz: float) -> Wave:
    """Filter a wave as `scipy.signal.butter(2, (low_hz, high_hz), "bandpass")` does.

    That module takes a second to import.
    """
    size = 1 << (len(wave) + RATE // 8).bit_length()  # with room for the filter to ring out
    return np.fft.irfft(np.fft.rfft(wave, size) * _band(low_hz, high_hz, size), size)[: len(wave)]


@cache
def _band(low_hz: float, high_hz: float, size: int) -> NDArray[np.complex128]:
    """Return a Butterworth filter's response at the frequencies of a transform of this size."""
    low, high = np.tan(np.pi * np.array([low_hz, high_hz]) / RATE)
    warped = np.tan(np.pi * np.arange(size // 2 + 1) / size)
    # A low-pass response for the variable offset / width, multiplied above and below by width**2.
    width, offset = warped * (high - low), 1j * (warped**2 - low * high)
    return np.asarray(width**2 / (offset**2 + np.sqrt(2) * offset * width + width**2))


def _at_twice_the_rate(wave: Wave) -> Wave:
    """Return a wave at `SAMPLE_RATE`, as `scipy.signal.resample_poly` does."""
    places = np.arange(-20, 21)
    kernel = np.sinc(places / 2) * np.kaiser(len(places), 5.0)
    spread = np.zeros(2 * len(wave))
    spread[::2] = wave
    return np.convolve(spread, 2 * kernel / kernel.sum(), "same")


def _envelope(time: Wave, length_s: float, decay_s: float) -> Wave:
    rise = np.minimum(1, time / 0.005)
    fall = np.minimum(1, np.maximum(0, length_s - time) / 0.03)
    return np.asarray(rise * fall * np.exp(-time / decay_s))
