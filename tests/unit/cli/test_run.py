"""A bot that is replaced while it starts stands by, instead of waiting forever."""

import asyncio
from pathlib import Path
from typing import NoReturn

import pytest

from bot.cli.group_ownership import Ownership
from bot.cli.run import _linked_workers
from bot.config import Settings
from bot.domain.errors import StoreUnavailable
from storage.database.protocols import TakenOver


class Lock:
    """A lock that another process has taken."""

    async def watch(self) -> NoReturn:
        raise TakenOver("Another process is the bot.")

    async def close(self) -> None:
        return None


class Lost:
    """The database of a bot that may no longer act."""

    async def read(self, sql: str, parameters: object = ()) -> NoReturn:
        raise StoreUnavailable("another process may be the bot now")


async def test_a_bot_that_is_replaced_before_it_knows_the_workers_learns_of_it(tmp_path: Path):
    settings = Settings(_env_file=None).model_copy(
        update={"separate_on": "workers", "object_store": tmp_path.as_uri()}
    )
    ownership = Ownership(Lock())  # type: ignore[arg-type] # matches by shape
    async with asyncio.timeout(5):
        with pytest.raises(TakenOver):
            await _linked_workers(settings, Lost(), ownership)  # type: ignore[arg-type] # by shape
    await ownership.close()
