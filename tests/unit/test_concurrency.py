"""Background tasks that fail are logged and restarted after a pause."""

import asyncio

import pytest

from bot import concurrency
from bot.concurrency import ITEMS_AT_A_TIME, gather_or_raise, supervised, with_pauses


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    really_sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        slept.append(seconds)
        await really_sleep(0)

    monkeypatch.setattr(asyncio, "sleep", note)
    return slept


class Restarted(BaseException):
    """Ends a task that would otherwise run forever."""


async def run(failures: list[Exception | None]) -> None:
    async def work() -> None:
        if not failures:
            raise Restarted
        if (failure := failures.pop(0)) is not None:
            raise failure

    with pytest.raises(Restarted):
        await supervised(work, name="retention")


async def test_failed_task_is_logged_and_restarted_after_growing_pauses(
    pauses: list[float], caplog: pytest.LogCaptureFixture
):
    await run([ValueError("choir"), OSError("gone"), ValueError("again")])

    assert [record.getMessage() for record in caplog.records] == ["retention failed"] * 3
    assert all(record.exc_info for record in caplog.records)
    assert pauses == sorted(pauses)
    assert pauses[-1] > 2 * pauses[0]


async def test_task_that_ends_by_itself_is_restarted_too(
    pauses: list[float], caplog: pytest.LogCaptureFixture
):
    await run([None])

    assert "retention ended unexpectedly" in caplog.text
    assert len(pauses) == 1


async def test_pauses_start_over_after_a_good_while(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(concurrency, "WELL_AFTER_S", -1.0)

    await run([ValueError(), ValueError(), ValueError()])

    assert pauses[0] == pauses[1] == pauses[2]


async def test_cancelled_task_stays_cancelled():
    started = asyncio.Event()

    async def work() -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(supervised(work, name="retention"))
    await started.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_first_failure_is_raised_as_itself_and_ends_the_others():
    ended = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def fail() -> None:
        raise ValueError("choir")

    with pytest.raises(ValueError, match="choir"):
        await gather_or_raise([forever(), fail()])
    assert ended == [True]


async def test_a_task_is_not_marked_as_cancelled_after_a_part_of_its_work_failed() -> None:
    """Otherwise aiohttp ends it when a connection breaks, and a job would stop for good."""

    async def fail() -> None:
        raise ValueError("no")

    task = asyncio.current_task()
    assert task is not None
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            await gather_or_raise([fail(), asyncio.sleep(60)])
        assert task.cancelling() == 0


async def test_whoever_is_cancelled_cancels_the_work() -> None:
    ended: list[bool] = []

    async def forever() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    gathering = asyncio.create_task(gather_or_raise([forever(), forever()]))
    await asyncio.sleep(0.01)
    gathering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gathering
    assert ended == [True, True]


async def test_other_tasks_run_during_a_long_pass_over_items() -> None:
    passed, seen_by_other = 0, []

    async def other() -> None:
        while passed < 3 * ITEMS_AT_A_TIME:
            seen_by_other.append(passed)
            await asyncio.sleep(0)

    running = asyncio.create_task(other())
    async for _ in with_pauses(range(3 * ITEMS_AT_A_TIME)):
        passed += 1
    await running
    assert {ITEMS_AT_A_TIME, 2 * ITEMS_AT_A_TIME} <= set(seen_by_other)


async def test_a_pass_over_items_is_not_disturbed_by_changes() -> None:
    items = dict.fromkeys(range(2 * ITEMS_AT_A_TIME))
    async for item in with_pauses(items):
        del items[item]
    assert not items


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(concurrency, "CANCEL_AGAIN_S", 0.01)
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            swallowed += 1
        await asyncio.sleep(60)

    async def failing() -> None:
        raise ValueError

    tasks = [asyncio.create_task(stubborn()), asyncio.create_task(failing())]
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await concurrency.end_tasks(*tasks)
    assert swallowed == 1
    assert all(each.done() for each in tasks)
    assert tasks[0].cancelled()
    assert isinstance(tasks[1].exception(), ValueError)
