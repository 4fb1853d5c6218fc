"""Plants known bugs one by one in a copy of the tree, and checks that the tests notice each."""

import asyncio
from pathlib import Path

from tests.chaos.measurements import Figure, none_of, note
from tests.planted.__main__ import unnoticed
from tests.planted.plants import PLANTS

NAME = "planted"


async def planted(home: Path) -> list[Figure]:
    """Plant every bug."""
    missed = await asyncio.to_thread(unnoticed, home, PLANTS)
    return [
        note(NAME, "bugs planted", f"{len(PLANTS)}"),
        none_of(NAME, "bugs that no test notices", missed),
    ]
