import gc
import os
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.runner import runtestprotocol

from tests.support import both_databases

if TYPE_CHECKING:
    from tests.support.harness import Harness


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return one more than the cores, because tests also wait."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Exempt what is imported and collected, which stays to the end, from garbage collection."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """In a worker, report set-ups and tear-downs only if they fail, which halves the messages."""
    options = item.config.option
    if not hasattr(item.config, "workerinput") or options.xmlpath or options.durations is not None:
        return None
    for report in runtestprotocol(item, nextitem=nextitem, log=False):
        if report.when == "call" or not report.passed:
            item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


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
