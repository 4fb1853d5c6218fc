"""Remembers to start a worker with more modest settings after memory ran out."""

import time
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

REMEMBERED_S: Final = 3600.0

T = TypeVar("T")


class MemoryFallback(Generic[T]):
    """A choice of settings, from the best to the most modest."""

    def __init__(
        self, settings: Sequence[T], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._step = 0
        self._until = 0.0

    @property
    def current(self) -> T:
        """The settings to start with: the best again, an hour after memory ran out."""
        self._forget_in_time()
        return self._settings[self._step]

    def step_down(self) -> bool:
        """Choose more modest settings for an hour; return False if there are none."""
        self._forget_in_time()
        if self._step + 1 == len(self._settings):
            return False
        self._step += 1
        self._until = self._monotonic() + REMEMBERED_S
        return True

    def _forget_in_time(self) -> None:
        if self._monotonic() >= self._until:
            self._step = 0
