"""Why a path is unusable, as told to a user without access rights."""

from pathlib import Path

from tests.support.unprivileged import open_folder, run_unprivileged

IMPORTS = """
import sys
from pathlib import Path
from storage.files.ownership import why_unusable
"""


def said_of(path: Path) -> str:
    return run_unprivileged(IMPORTS, "print(why_unusable(Path(sys.argv[1])))", path).strip()


def test_file_of_another_user_is_named_with_its_owner_mode_and_remedy():
    with open_folder() as folder:
        database = folder / "stemcord.db"
        database.write_text("")
        database.chmod(0o400)

        line = said_of(database)

    assert line.startswith(f"{database} cannot be written by ")
    assert "mode 0400" in line
    assert "`chown -R " in line
    assert f" {folder}` as root" in line
    assert "\n" not in line


def test_log_of_another_user_beside_the_database_is_the_one_that_is_named():
    with open_folder() as folder:
        folder.chmod(0o777)
        database = folder / "stemcord.db"
        for name in ("stemcord.db", "stemcord.db-wal"):
            (folder / name).write_text("")
            (folder / name).chmod(0o666)
        (folder / "stemcord.db-wal").chmod(0o400)

        assert said_of(database).startswith(f"{folder}/stemcord.db-wal cannot be written")


def test_absent_file_is_told_by_the_folder_that_it_cannot_be_made_in():
    with open_folder() as folder:
        folder.chmod(0o555)

        assert said_of(folder / "data" / "jobs").startswith(f"{folder} cannot be written")
