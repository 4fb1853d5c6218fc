"""Runs parts of a scene side by side, two at a time."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

CONCURRENT_RUNS = 2


async def run_in_parallel(runs: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run all parts, two at a time. An error in one cancels the others."""
    slots = asyncio.Semaphore(CONCURRENT_RUNS)

    async def run_one(run: Coroutine[Any, Any, None]) -> None:
        async with slots:
            await run

    async with asyncio.TaskGroup() as group:
        for each in runs:
            group.create_task(run_one(each))
