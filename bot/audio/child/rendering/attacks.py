"""Finds the moments at which a sound suddenly becomes louder."""

import numpy as np
from numpy.typing import NDArray

from bot.audio.child.master import Samples
from bot.audio.spool import CHANNELS

_STEP = 64
_STEPS_BEFORE = 20
"""The steps before a moment, 30 ms in all, that its power is compared with."""
_RISE = 4.0
_AUDIBLE = 1e-3
"""The least power of an attack, relative to the loudest moment of the sound."""
_FINE_STEP = 8
_FINE_STEPS_AFTER = 8
"""The fine steps over which an attack's power is averaged."""
_BEGUN = 0.25
"""An attack begins where the sound reaches this fraction of the attack's power."""


def attacks_in(sound: Samples) -> NDArray[np.intp]:
    """Return the positions of attacks in frames, in steps of 64; an attack may have several."""
    power = _power(sound, _STEP)
    if len(power) <= _STEPS_BEFORE:
        return np.zeros(0, np.intp)
    total = np.concatenate([[0.0], np.cumsum(power)])
    before = (total[_STEPS_BEFORE:-1] - total[: -_STEPS_BEFORE - 1]) / _STEPS_BEFORE
    now = power[_STEPS_BEFORE:]
    is_attack = (now > _RISE * before) & (now > _AUDIBLE * power.max())
    return (np.flatnonzero(is_attack) + _STEPS_BEFORE) * _STEP


def onsets_of(attacks: NDArray[np.intp], sound: Samples) -> list[int]:
    """Return the beginning of each attack in frames, to a fifth of a millisecond."""
    apart = np.diff(attacks, prepend=-_STEPS_BEFORE * _STEP) >= _STEPS_BEFORE * _STEP
    return [_onset_near(attack, sound) for attack in attacks[apart].tolist()]


def _onset_near(attack: int, sound: Samples) -> int:
    """Return the frame at which the power first exceeds `_BEGUN` times the attack's power."""
    start = attack - _STEP
    power = _power(sound[start : attack + 3 * _STEP], _FINE_STEP)
    after = np.convolve(power, np.ones(_FINE_STEPS_AFTER), "valid") / _FINE_STEPS_AFTER
    return start + _FINE_STEP * int((power[: len(after)] > _BEGUN * after.max()).argmax())


def _power(sound: Samples, step: int) -> NDArray[np.float64]:
    """Return the power of each whole step of a sound."""
    steps = len(sound) // step
    each = np.square(sound[: steps * step]).reshape(steps, step * CHANNELS)
    power: NDArray[np.float64] = each.sum(axis=1, dtype=np.float64)
    return power
