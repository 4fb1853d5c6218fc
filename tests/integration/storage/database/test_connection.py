"""An SQLite file that belongs to another user."""

from storage.database.connection import Database
from tests.support.unprivileged import open_folder, run_unprivileged


async def test_file_that_this_user_cannot_write_is_told_with_the_remedy():
    imports = """
    import asyncio, sys
    from pathlib import Path
    from bot.domain.errors import StoreBroken
    from storage.database.connection import Database
    """
    code = """
    async def main():
        db = await Database.open(Path(sys.argv[1]))
        await db.probe()
    try:
        asyncio.run(main())
    except StoreBroken as exc:
        print(exc)
    """
    with open_folder() as folder:
        path = folder / "stemcord.db"
        db = await Database.open(path)
        await db.close()
        for mode in (0o400, 0o444):
            path.chmod(mode)
            line = run_unprivileged(imports, code, path).strip()
            assert "cannot be written by" in line or "readonly" in line
            assert line.count("\n") == 0
