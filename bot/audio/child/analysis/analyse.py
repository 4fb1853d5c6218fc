"""Analyses a song: reads it once, block by block, and estimates key, tempo and beats."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from bot.audio.analysis_task import AnalyseMixesTask, AnalyseTask, Role
from bot.audio.child.analysis import key_finding, mono_blocks, rhythm
from bot.audio.child.analysis.mono_blocks import Mono
from bot.audio.child.analysis.onset_strength import OnsetMeter
from bot.audio.child.analysis.pitch_content import PitchMeter
from bot.audio.child.analysis.rhythm import Signal
from bot.domain.analysis import Analysis

_SHORTEST_S = 6.0
_PITCHES_HZ = (50.0, 2_200.0)
_BASS_HZ = (35.0, 300.0)


def analyse(task: AnalyseTask) -> Analysis:
    """Analyse a song; uncertain values are None. Raises FFmpegError for a broken master."""
    return _heard(frozenset(part.role for part in task.parts), mono_blocks.blocks(task.parts))


def analyse_mixes(task: AnalyseMixesTask) -> Analysis:
    """Analyse a song before its masters are written."""
    blocks = mono_blocks.mixed_blocks(task.mixes, frames=task.frames)
    return _heard(frozenset(mix.role for mix in task.mixes), blocks)


def _heard(roles: frozenset[Role], blocks: Iterable[Mapping[Role, Mono]]) -> Analysis:
    listener = Listener(roles)
    for block in blocks:
        listener.add(block)
    return listener.analysis()


class Listener:
    """Measures a song in blocks. Vocals count for the beats only if there is nothing else."""

    def __init__(self, roles: frozenset[Role]) -> None:
        self._drums, self._rest = _rhythmic(roles)
        self._tonal = roles - {Role.DRUMS}
        self._bass = frozenset({Role.BASS}) & roles or self._tonal
        self._drum_onsets = OnsetMeter() if self._drums else None
        self._rest_onsets = OnsetMeter() if self._rest else None
        self._pitches = PitchMeter(low_hz=_PITCHES_HZ[0], high_hz=_PITCHES_HZ[1])
        self._bass_pitches = PitchMeter(low_hz=_BASS_HZ[0], high_hz=_BASS_HZ[1])
        self._samples = 0

    def add(self, block: Mapping[Role, Mono]) -> None:
        """Measure the next block of every role."""
        self._samples += len(next(iter(block.values())))
        if self._drum_onsets:
            self._drum_onsets.add(_sum(block, self._drums))
        if self._rest_onsets:
            self._rest_onsets.add(_sum(block, self._rest))
        if self._tonal:
            self._pitches.add(_sum(block, self._tonal))
            self._bass_pitches.add(_sum(block, self._bass))

    def analysis(self) -> Analysis:
        """Return the estimates; call it once, after the last block."""
        if self._samples < _SHORTEST_S * mono_blocks.RATE:
            return Analysis()
        chroma = self._pitches.chromagram()
        found = rhythm.rhythm(self._signals(), chroma)
        tuning = key_finding.tuning(self._pitches.histogram)
        key = None
        if tuning.is_clear:
            self._bass_pitches.chromagram()
            histograms = self._pitches.histogram, self._bass_pitches.histogram
            key = key_finding.key(*histograms, tuning.cents)
        return Analysis(
            key=key,
            tempo=found.tempo if found else None,
            tuning_cents=round(tuning.cents) if tuning.is_clear else None,
            grid=found.grid if found else None,
        )

    def _signals(self) -> Sequence[Signal]:
        signals = []
        if self._drum_onsets:
            weights = rhythm.DRUMS if Role.EVERYTHING not in self._drums else rhythm.MIX
            signals.append(Signal(strength=self._drum_onsets.strength(), weights=weights))
        if self._rest_onsets:
            weights = rhythm.REST if self._drums else rhythm.MIX
            signals.append(Signal(strength=self._rest_onsets.strength(), weights=weights))
        return signals


def _rhythmic(roles: frozenset[Role]) -> tuple[frozenset[Role], frozenset[Role]]:
    """Return the roles that give the drums' onsets, and the roles that give all other onsets."""
    drums = roles & {Role.DRUMS} or roles & {Role.EVERYTHING}
    rest = roles - drums - {Role.VOCALS}
    return (drums, rest) if drums or rest else (frozenset(), roles)


def _sum(block: Mapping[Role, Mono], roles: frozenset[Role]) -> Mono:
    total: Mono = np.sum([block[role] for role in sorted(roles)], axis=0)
    return total
