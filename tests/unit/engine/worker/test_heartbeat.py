import threading
from queue import SimpleQueue

import pytest

from bot.engine.worker.heartbeat import heartbeat


def test_beats_until_the_block_ends():
    beats: SimpleQueue[bool] = SimpleQueue()
    with heartbeat(lambda: beats.put(True), every_s=0.001):
        for _ in range(3):
            beats.get(timeout=10)
    assert "heartbeat" not in {thread.name for thread in threading.enumerate()}


def test_ends_with_a_block_that_fails():
    with pytest.raises(ValueError, match="inside"), heartbeat(lambda: None, every_s=60.0):
        raise ValueError("inside")
    assert "heartbeat" not in {thread.name for thread in threading.enumerate()}


def test_a_closed_pipe_ends_it_quietly():
    is_tried = threading.Event()

    def beat():
        is_tried.set()
        raise BrokenPipeError

    with heartbeat(beat, every_s=0.001):
        assert is_tried.wait(10)
