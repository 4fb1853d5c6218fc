"""Unit tests start no process. A test that needs one belongs to tests/integration."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"}
OF_LIBRARIES = {"file"}
"""The program that croniter runs when it is imported, to learn the machine's word size."""


class Watch:
    """Whether a unit test is running."""

    is_on = False


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if Watch.is_on and event in STARTS and not OF_LIBRARIES.intersection(arguments[:1]):
        pytest.fail(f"a unit test starts a process ({event})")


sys.addaudithook(refuse)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    Watch.is_on = item.path.is_relative_to(HERE)
    try:
        return (yield)
    finally:
        Watch.is_on = False


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    # After the last test, resources that tests shared are closed, such as a PostgreSQL server.
    if nextitem is None:
        Watch.is_on = False
    return (yield)
