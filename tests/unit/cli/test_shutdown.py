"""The time budget of a stop, which all steps share and which never prevents closing."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from bot.cli.shutdown import CLOSING_S, LOOKUP_THREADS, DaemonExecutor, ShutdownStack, StopBudget


def note(notes: list[str], name: str) -> Callable[[], Awaitable[None]]:
    async def close() -> None:
        notes.append(name)

    return close


async def never() -> None:
    await asyncio.Event().wait()


async def test_what_never_ends_is_cut_off_and_all_else_is_closed_in_its_order(
    caplog: pytest.LogCaptureFixture,
) -> None:
    notes: list[str] = []
    async with ShutdownStack(StopBudget(total_s=0)) as stack:
        stack.push_async_callback(note(notes, "database"))
        stack.push_async_callback(never)
        stack.push_async_callback(note(notes, "client"))
    assert notes == ["client", "database"]
    assert "never did not end in time" in caplog.text


async def test_an_error_while_closing_is_raised_after_all_else_is_closed() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    notes: list[str] = []
    stack = ShutdownStack(StopBudget(total_s=5))
    stack.push_async_callback(note(notes, "database"))
    stack.push_async_callback(fail)
    with pytest.raises(ZeroDivisionError):
        await stack.aclose()
    assert notes == ["database"]


async def test_a_budget_counts_from_its_first_beginning() -> None:
    budget = StopBudget(total_s=60)
    assert budget.left_s == 60
    budget.begin()
    first = budget.left_s
    await budget.spend(asyncio.sleep(0.01), what="a while")
    budget.begin()
    assert budget.left_s < first <= 60


@pytest.mark.parametrize(("total_s", "for_steps_s"), [(8, 8 - CLOSING_S), (1, 0.5), (0, 0)])
def test_steps_leave_some_of_the_budget_for_closing(total_s: float, for_steps_s: float) -> None:
    assert StopBudget(total_s=total_s).for_steps_s == for_steps_s


async def test_lookups_that_hang_do_not_hold_up_the_work_on_files() -> None:
    over = threading.Event()

    def look_up() -> None:
        over.wait(30)

    loop = asyncio.get_running_loop()
    executor = DaemonExecutor(lookup=look_up)
    lookups = [loop.run_in_executor(executor, look_up) for _ in range(LOOKUP_THREADS + 20)]
    async with asyncio.timeout(5):
        assert await loop.run_in_executor(executor, lambda: "written") == "written"
    over.set()
    await asyncio.gather(*lookups)
    executor.shutdown()
