import asyncio
from collections.abc import Sequence

import pytest

from bot.domain.errors import StoreUnavailable
from bot.workers.audio import audio_sweeper as module
from bot.workers.audio.audio_sweeper import AudioSweeper


class Outside:
    """The rows and the objects of audio tasks."""

    def __init__(self) -> None:
        self.left: list[str] = []
        self.rows = frozenset({"a"})
        self.stored: Sequence[str] = ()
        self.done: list[str] = []
        self.error: Exception | None = None
        self.sweeps = 0

    async def abandoned(self) -> Sequence[str]:
        self.sweeps += 1
        if self.error is not None:
            raise self.error
        return self.left

    async def remove(self, task_id: str) -> None:
        self.done.append(f"row {task_id}")

    async def forget_lost(self) -> None:
        self.done.append("lost")

    async def all_ids(self) -> frozenset[str]:
        return self.rows

    async def folders_under(self, prefix: str) -> Sequence[str]:
        assert prefix == "audio"
        return self.stored

    async def remove_under(self, prefix: str) -> None:
        self.done.append(prefix)


def sweeper(outside: Outside) -> AudioSweeper:
    return AudioSweeper(tasks=outside, objects=outside)  # type: ignore[arg-type] # matches by shape


async def test_an_abandoned_task_is_stopped_before_its_objects_are_deleted():
    outside = Outside()
    outside.left = ["b"]
    await sweeper(outside).sweep()
    assert outside.done == ["row b", "audio/b", "lost"]


async def test_objects_without_a_row_are_deleted():
    outside = Outside()
    outside.stored = ["a", "b"]
    await sweeper(outside).remove_orphans()
    assert outside.done == ["audio/b"]


async def test_sweeping_goes_on_through_an_outage(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "SWEEP_EVERY_S", 0.001)
    monkeypatch.setattr(module, "ORPHANS_EVERY", 1)
    outside = Outside()
    outside.stored, outside.error = ["b"], StoreUnavailable("away")
    running = asyncio.create_task(sweeper(outside).run())
    async with asyncio.timeout(10):
        while outside.sweeps < 3:
            await asyncio.sleep(0.001)
        assert outside.done == []
        outside.error = None
        while "audio/b" not in outside.done:
            await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
