"""Tells the engine that the worker is alive while its main thread is busy."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def heartbeat(beat: Callable[[], None], *, every_s: float) -> Iterator[None]:
    """Call `beat` periodically on a thread until the block ends.

    The thread ends early, without an error here, if a beat finds its pipe closed.
    """
    is_over = threading.Event()

    def run() -> None:
        while not is_over.wait(every_s):
            try:
                beat()
            except BrokenPipeError:
                return  # the main thread sees the end of its input

    thread = threading.Thread(target=run, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
