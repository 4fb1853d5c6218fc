import gc
import os
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import both_databases

if TYPE_CHECKING:
    from tests.support.harness import Harness


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return one more than the cores, because tests also wait."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Search what is imported and collected, and stays to the end, for no garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator["Harness"]:
    """The real services on a real database, with fakes for the outside world."""
    from tests.support.harness import Harness  # imports most of the bot

    built = await Harness.build(tmp_path)
    yield built
    await built.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    """A PostgreSQL server. Without one on this machine, the test is skipped."""
    yield from both_databases.serve()
