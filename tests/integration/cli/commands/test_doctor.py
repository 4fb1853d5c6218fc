"""The checks of `doctor` that start processes."""

from pathlib import Path

import pytest

from storage.files.data_dir import DataDir
from tests.support.doctor_visit import DoctorVisit, visit_doctor, with_model
from tests.support.unprivileged import open_folder, run_unprivileged


@pytest.fixture
def visit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> DoctorVisit:
    return visit_doctor(tmp_path, monkeypatch, capsys)


def test_all_is_well_where_the_bot_can_work(visit: DoctorVisit, tmp_path: Path):
    DataDir(tmp_path / "data").create()
    (tmp_path / "data" / "models").rmdir()
    with_model(tmp_path / "data" / "models")
    lines = visit.says()
    assert visit.status == 0
    assert [line for line in lines if line.startswith("FAIL")] == []
    assert "ok    Discord accepts DISCORD_TOKEN, as Stemcord#1234" in lines
    assert f"ok    {tmp_path}/data can be written" in lines
    assert "ok    Audio decodes in a child process" in lines


def test_folder_that_this_user_may_not_write_fails():
    imports = """
    import os, sys
    from bot.__main__ import main
    import bot.cli.command_line, encodings.idna
    os.environ |= {
        "STEMCORD_DATA_DIR": sys.argv[1],
        "STEMCORD_PROVIDERS": "local",
        "DISCORD_API_BASE": "http://127.0.0.1:9",
    }
    os.chdir(sys.argv[2])
    """
    with open_folder() as folder:
        place = DataDir(folder / "data")
        place.create()
        place.root.chmod(0o755)
        place.jobs.chmod(0o755)
        said = run_unprivileged(imports, "main(['doctor'])", place.root, folder)
        assert f"FAIL  {place.jobs} cannot be written by" in said
        place.jobs.rmdir()
        place.models.rmdir()
        place.root.rmdir()
        said = run_unprivileged(imports, "main(['doctor'])", place.root, folder)
        assert f"FAIL  {folder} cannot be written by" in said
