"""A bot's store that belongs to another user."""

import asyncio

from storage.database.connection import Database
from storage.files.data_dir import DataDir
from tests.support.unprivileged import open_folder, run_unprivileged


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
