"""A bot's store that belongs to another user, or that is new on a server."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.cli.opening.stores import open_store
from storage.database.connection import Database
from storage.database.opening import PostgresUrl
from storage.files.data_dir import DataDir
from tests.support.fakes import FakeClock
from tests.support.unprivileged import open_folder, run_unprivileged


@pytest.fixture
def url(postgres_server: Any) -> Iterator[str]:
    with postgres_server.database() as address:
        yield address


def test_store_of_another_user_is_a_sentence_for_the_operator():
    imports = """
    import asyncio, concurrent.futures.thread, sys
    from pathlib import Path
    from bot.cli.opening.stores import open_store
    from bot.domain.clock import SystemClock
    from storage.files.data_dir import DataDir
    from storage.files.ownership import DataUnusable
    """
    code = """
    try:
        asyncio.run(open_store(DataDir(Path(sys.argv[1])), SystemClock()))
    except DataUnusable as exc:
        print(exc)
    """
    with open_folder() as folder:
        place = DataDir(folder)
        asyncio.run(_made(place))
        folder.chmod(0o777)
        place.database.chmod(0o444)
        said = run_unprivileged(imports, code, folder).strip()
    assert said.startswith(f"{place.database} cannot be written by ")
    assert "\n" not in said


async def _made(place: DataDir) -> None:
    await (await Database.open(place.database)).close()


async def test_new_database_on_a_server_is_a_warning_without_its_address(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    data = DataDir(tmp_path)
    data.create()
    for _ in range(2):
        store = await open_store(data, FakeClock(), PostgresUrl(url))
        await store.db.close()
    [record] = caplog.records
    assert record.getMessage().endswith("a new and empty one is made at STEMCORD_DATABASE_URL")
