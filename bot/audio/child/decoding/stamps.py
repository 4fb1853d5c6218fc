"""Finds gaps from a container's timestamps: sound that starts late or pauses midway.

Timestamps can be wrong. They are trusted only in containers that store one per packet, and only for
gaps of a plausible length.
"""

from typing import Self

from av.audio.frame import AudioFrame
from av.container import InputContainer

_STAMPED = frozenset({"mov", "matroska,webm", "flv", "mpegts"})
_JITTER_S = 0.01
"""Differences below this are ignored: timestamps are rounded, and recorders' clocks drift."""
_OVERLAP_S = 0.1
"""The most by which a packet may be early, to make up for an earlier one that was late."""
_LONGEST_HOLE_S = 120.0
"""A longer jump means that the clock was reset, not that sound is missing."""


class Stamps:
    """Follows the timestamps of one stream's frames, from `start_s` on."""

    def __init__(self, *, start_s: float, is_believed: bool) -> None:
        self._is_believed = is_believed
        self._due_s = start_s
        self._early_s = 0.0
        self.jumped_s = 0.0
        """The total length, in seconds, of gaps that were not filled."""
        self._latest_s: float | None = None

    @classmethod
    def of(cls, container: InputContainer, demuxer: str) -> Self:
        """Follow a container's timestamps if they can be trusted."""
        # Only in MOV and MP4 does a timestamp of 0 mean the beginning of the song.
        start_us = 0 if demuxer == "mov" else container.start_time or 0
        return cls(start_s=start_us / 1_000_000, is_believed=demuxer in _STAMPED)

    def hole_before(self, frame: AudioFrame) -> float:
        """Return how many seconds of silence belong before a frame."""
        at_s = frame.time
        duration_s = frame.samples / max(1, frame.sample_rate)
        if not self._is_believed or at_s is None or at_s == self._latest_s:
            self._due_s += duration_s
            return 0.0
        self._latest_s = at_s
        gap_s = at_s - self._due_s
        self._due_s = at_s + duration_s
        if -_JITTER_S < gap_s < _JITTER_S:
            return 0.0
        if gap_s < 0:
            self._early_s = self._early_s - gap_s if gap_s > -_OVERLAP_S else 0.0
            return 0.0
        paid_s = min(gap_s, self._early_s)
        self._early_s -= paid_s
        hole_s = gap_s - paid_s
        if _JITTER_S <= hole_s <= _LONGEST_HOLE_S:
            return hole_s
        self.jumped_s += hole_s
        return 0.0
