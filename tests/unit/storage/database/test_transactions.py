import asyncio
import logging

import pytest

from bot.domain.errors import StateMoved, StoreUnavailable
from storage.database.transactions import Transactions


async def end_without_caller(error: Exception | None) -> list[str]:
    """Cancel the caller of a transaction that is running, and return what the transaction did."""
    done, go_on = list[str](), asyncio.Event()
    transactions = Transactions()

    async def transaction() -> None:
        await go_on.wait()
        done.append("ended")
        if error is not None:
            raise error

    caller = asyncio.create_task(transactions.run(transaction()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    go_on.set()
    await transactions.wait()
    await asyncio.sleep(0)
    return done


@pytest.mark.parametrize("error", [None, StateMoved("too late")], ids=["succeeds", "is too late"])
async def test_a_transaction_without_its_caller_runs_to_its_end(
    error: Exception | None, caplog: pytest.LogCaptureFixture
):
    assert await end_without_caller(error) == ["ended"]
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


async def test_a_failure_that_nobody_hears_of_is_logged(caplog: pytest.LogCaptureFixture):
    await end_without_caller(StoreUnavailable("the disk is full"))
    assert "failed after its caller was cancelled" in caplog.text
    assert "the disk is full" in caplog.text
