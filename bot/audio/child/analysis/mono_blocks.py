"""Reads a song's masters, or the spools they are mixed from, as mono blocks at half the rate."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice, zip_longest

import numpy as np
from numpy.typing import NDArray

from bot.audio.analysis_task import Listened, ListenedMix, Role
from bot.audio.child import combine, master
from bot.audio.spool import SAMPLE_RATE

RATE = SAMPLE_RATE // 2
BLOCK = 1 << 16
"""Samples in a block; only the last block of a song may be shorter."""

Mono = NDArray[np.float32]
"""Samples of one channel at `RATE`, full scale 1.0."""

_DELAY = 15
_BATCH_BLOCKS = 16


def _half_band() -> Mono:
    """Return the taps of a low-pass filter at half of the new rate.

    `scipy.signal.firwin(31, 0.5)` returns the same, but takes longer to import than the rest of the
    audio code.
    """
    taps = np.sinc(np.arange(-_DELAY, _DELAY + 1) / 2) * np.hamming(2 * _DELAY + 1)
    return np.asarray(taps / np.sum(taps), np.float32)


_TAPS = _half_band()


def blocks(parts: Sequence[Listened]) -> Iterator[Mapping[Role, Mono]]:
    """Yield blocks of each role's summed parts until the longest part ends.

    Raises FFmpegError for a master that cannot be read.
    """
    roles = [part.role for part in parts]
    with ExitStack() as files:
        opened = [files.enter_context(master.opened(part.master)) for part in parts]
        yield from _by_role(roles, [_batches(master.blocks(container)) for container in opened])


def mixed_blocks(mixes: Sequence[ListenedMix], *, frames: int) -> Iterator[Mapping[Role, Mono]]:
    """Yield blocks of each role's summed mixes, which have `frames` stereo frames."""
    mixed = [(block for [block] in combine.mixed([mix.parts], frames)) for mix in mixes]
    yield from _by_role([mix.role for mix in mixes], mixed)


def _by_role(
    roles: Sequence[Role], parts: Sequence[Iterator[master.Samples]]
) -> Iterator[Mapping[Role, Mono]]:
    for pieces in zip_longest(*(_even(_halved(part)) for part in parts)):
        yield _summed(roles, pieces)


def _summed(roles: Sequence[Role], pieces: Sequence[Mono | None]) -> Mapping[Role, Mono]:
    there = [(role, piece) for role, piece in zip(roles, pieces, strict=True) if piece is not None]
    length = max(len(piece) for _, piece in there)
    sums = {role: np.zeros(length, np.float32) for role in dict.fromkeys(roles)}
    for role, piece in there:
        sums[role][: len(piece)] += piece
    return sums


def _halved(stereo: Iterator[master.Samples]) -> Iterator[Mono]:
    """Mix to mono and halve the rate, without a delay."""
    held = np.zeros(_DELAY, np.float32)
    for batch in stereo:
        held = np.concatenate([held, (batch[:, 0] + batch[:, 1]) * np.float32(0.5)])
        if len(held) >= len(_TAPS):
            halved = _filtered(held)
            yield halved
            held = held[2 * len(halved) :]
    held = np.concatenate([held, np.zeros(_DELAY, np.float32)])
    if len(held) >= len(_TAPS):
        yield _filtered(held)


def _batches(stereo: Iterator[master.Samples]) -> Iterator[master.Samples]:
    """Join blocks to reduce the overhead per block."""
    for first in stereo:
        yield np.concatenate([first, *islice(stereo, _BATCH_BLOCKS - 1)])


def _filtered(samples: Mono) -> Mono:
    """Return every second sample of the valid part of the filtered signal.

    A half-band filter's taps are zero at even distances from its middle.
    """
    middle = samples[_DELAY : len(samples) - _DELAY : 2] * _TAPS[_DELAY]
    others: Mono = np.convolve(samples[::2], _TAPS[::2], "valid")
    halved: Mono = middle + others
    return halved


def _even(pieces: Iterator[Mono]) -> Iterator[Mono]:
    """Cut a signal into blocks of equal length; the last may be shorter."""
    held: list[Mono] = []
    length = 0
    for piece in pieces:
        held.append(piece)
        length += len(piece)
        if length >= BLOCK:
            joined = np.concatenate(held)
            whole = len(joined) - len(joined) % BLOCK
            yield from np.split(joined[:whole], whole // BLOCK)
            held, length = [joined[whole:]], len(joined) - whole
    if length:
        yield np.concatenate(held)
