"""Side by side, as many rehearsals as there are processors to share."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

LANES = 2


async def in_parallel(rehearsals: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Play all of them, two at a time; what breaks one off ends the rest."""
    places = asyncio.Semaphore(LANES)

    async def take_a_place(rehearsal: Coroutine[Any, Any, None]) -> None:
        async with places:
            await rehearsal

    async with asyncio.TaskGroup() as group:
        for each in rehearsals:
            group.create_task(take_a_place(each))
