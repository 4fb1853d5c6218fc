"""A former owner whose event loop is blocked exits; one that was only frozen continues."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bot.cli.group_ownership import DEAF_TICKS, EXIT_DEAF, LoopWatchdog

TICK_S = 0.02


@contextmanager
def watching(*, is_owner: bool) -> Iterator[tuple[LoopWatchdog, list[int]]]:
    ends: list[int] = []
    watchdog = LoopWatchdog(is_owner=lambda: is_owner, end=ends.append, tick_s=TICK_S)
    watchdog.start()
    try:
        yield watchdog, ends
    finally:
        watchdog.stop()
        watchdog.join()


def test_a_blocked_loop_ends_the_process_once_it_may_not_act() -> None:
    with watching(is_owner=False) as (_, ends):
        time.sleep(TICK_S * DEAF_TICKS * 3)
    assert EXIT_DEAF in ends


def test_a_blocked_loop_of_an_owner_is_left_alone() -> None:
    with watching(is_owner=True) as (_, ends):
        time.sleep(TICK_S * DEAF_TICKS * 3)
    assert ends == []


def test_a_loop_that_gives_signs_is_left_alone() -> None:
    with watching(is_owner=False) as (watchdog, ends):
        until = time.monotonic() + TICK_S * DEAF_TICKS * 3
        while time.monotonic() < until:
            watchdog.signs += 1
            time.sleep(TICK_S / 4)
    assert ends == []
    assert not any(thread.name == "watchdog" for thread in threading.enumerate())
