"""The database commands on data that belongs to another user."""

import asyncio

import pytest

from storage.database.connection import Database
from storage.files.data_dir import DataDir
from storage.stores.job_store import JobStore
from tests.support.databases import open_database
from tests.support.domain_factories import a_job
from tests.support.unprivileged import open_folder, run_unprivileged


async def add_a_job(data: DataDir) -> None:
    db = await open_database(data.database, Database)
    await JobStore(db=db).add(a_job(), max_active=9)
    await db.close()


REFUSED = ("audit", "backup", "renew-links")


@pytest.fixture(scope="module")
def refusals() -> dict[str, str]:
    """Return what each command says about data that belongs to another user."""
    with open_folder() as folder:
        place = DataDir(folder / "data")
        place.create()
        asyncio.run(add_a_job(place))
        for path in (place.root, place.database):
            path.chmod(0o500 if path.is_dir() else 0o400)
        imports = """
        import os, sys
        from bot.__main__ import main
        import bot.cli.command_line
        os.environ["STEMCORD_DATA_DIR"] = sys.argv[1]
        os.chdir(sys.argv[2])
        """
        code = f"""
        for command in {REFUSED}:
            main([command])
            print("end", flush=True)
        """
        said = run_unprivileged(imports, code, place.root, folder)
    return dict(zip(REFUSED, said.split("end\n"), strict=False))


@pytest.mark.parametrize("command", REFUSED)
def test_data_of_another_user_is_one_line_with_a_remedy(refusals: dict[str, str], command: str):
    assert refusals[command].count("\n") == 1
    assert "chown" in refusals[command] or "no database to read" in refusals[command]
