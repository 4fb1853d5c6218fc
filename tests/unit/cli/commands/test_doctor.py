"""The checks of `doctor` and their output."""

import os
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.cli.commands import doctor, network_checks
from bot.cli.commands.machine_checks import CheckResult
from bot.cli.discord_session import DiscordRefused
from bot.engine.model_catalogue import SPLEETER, STRETCH
from bot.engine.weights import Weights
from storage.files.data_dir import DataDir
from tests.support.unprivileged import open_folder, run_unprivileged


class Doctor:
    """Runs the command and keeps its output."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.status = 0

    def says(self) -> list[str]:
        self.status = main(["doctor"])
        return self._capsys.readouterr().err.splitlines()

    def line(self, word: str) -> str:
        [line] = [each for each in self.says() if word in each]
        return line


@pytest.fixture
def visit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Doctor:
    for name in list(os.environ):
        if name.startswith(("STEMCORD_", "DISCORD_")) or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(network_checks, "ask_discord", lambda _: ("Stemcord#1234", ()))
    monkeypatch.setenv("DISCORD_TOKEN", "a.token")
    monkeypatch.setenv("DISCORD_API_BASE", "http://127.0.0.1:9")
    monkeypatch.setenv("STEMCORD_PROVIDERS", "local")
    return Doctor(capsys)


@pytest.fixture
def quick_visit(visit: Doctor, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """A visit that skips the check of decoding."""

    async def granted(_: object) -> CheckResult:
        return CheckResult(True, "Audio decodes")

    monkeypatch.setattr(doctor, "check_decoding", granted)
    return visit


def with_model(folder: Path) -> Weights:
    folder.mkdir(parents=True)
    made = folder / "made"
    made.write_bytes(b"weights" * 100)
    weights = Weights(SPLEETER, folder)
    weights.install(made, notice="")
    return weights


def test_all_is_well_where_the_bot_can_work(visit: Doctor, tmp_path: Path):
    DataDir(tmp_path / "data").create()
    (tmp_path / "data" / "models").rmdir()
    with_model(tmp_path / "data" / "models")
    lines = visit.says()
    assert visit.status == 0
    assert [line for line in lines if line.startswith("FAIL")] == []
    assert "ok    Discord accepts DISCORD_TOKEN, as Stemcord#1234" in lines
    assert f"ok    {tmp_path}/data can be written" in lines
    assert "ok    Audio decodes in a child process" in lines


def test_absent_model_is_told_from_a_damaged_one(quick_visit: Doctor, tmp_path: Path):
    assert "Spleeter-2 is not in" in quick_visit.line("python -m bot models")
    assert quick_visit.status == 1
    weights = with_model(tmp_path / "data" / "models")
    whole = weights.path.read_bytes()
    weights.path.write_bytes(whole[:300])
    assert f"FAIL  {weights.path} is incomplete" in quick_visit.line("python -m bot models")
    weights.path.write_bytes(whole[::-1])
    assert f"FAIL  {weights.path} is damaged" in quick_visit.line("python -m bot models")


def test_folder_that_other_users_can_read_is_noted_and_so_is_env(
    quick_visit: Doctor, tmp_path: Path
):
    place = DataDir(tmp_path / "data")
    place.create()
    place.root.chmod(0o755)
    (tmp_path / ".env").write_text("STEMCORD_QUOTA_MINUTES=5\n")
    (tmp_path / ".env").chmod(0o644)
    lines = quick_visit.says()
    assert f"note  {place.root} can be read by other users (mode 0755): chmod 700 {place.root}" in (
        lines
    )
    assert any(f"{tmp_path}/.env can be read by other users" in line for line in lines)


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


def test_discord_that_cannot_be_asked_fails_in_one_line(
    quick_visit: Doctor, monkeypatch: pytest.MonkeyPatch
):
    def refuse(_: object) -> tuple[str, tuple[str, ...]]:
        raise DiscordRefused("Discord cannot be asked: discord.com: no route")

    monkeypatch.setattr(network_checks, "ask_discord", refuse)
    assert quick_visit.line("no route") == "FAIL  Discord cannot be asked: discord.com: no route"


@pytest.mark.parametrize(
    ("variables", "word"),
    [
        (
            {
                "STEMCORD_PROVIDERS": "finevoice,local",
                "FINEVOICE_API_KEY": "k" * 20,
                "FINEVOICE_BASE_URL": "http://127.0.0.1:9",
            },
            "STEMCORD_DAILY_SPEND_MINUTES is not set",
        ),
        ({"STEMCORD_PUBLIC_URL": "https://a.example"}, "STEMCORD_PUBLIC_ADDRESS is not set"),
        ({"STEMCORD_PUBLIC_URL": "http://a.example"}, "so results get no Listen button"),
        ({"STEMCORD_PUBLIC_URL": "https://a.example"}, "Signalsmith Stretch is not installed"),
        ({"STEMCORD_QUOTA_MINUTE": "7"}, "STEMCORD_QUOTA_MINUTES is one"),
    ],
)
def test_what_may_be_meant_otherwise_is_noted(
    quick_visit: Doctor, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], word: str
):
    assert [line for line in quick_visit.says() if word in line] == []
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert quick_visit.line(word).startswith("note")


def test_audio_that_fills_its_share_of_the_disk_fails(
    quick_visit: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    place = DataDir(tmp_path / "data")
    place.create()
    (place.jobs / "k7f2q").mkdir()
    (place.jobs / "k7f2q" / "master.flac").write_bytes(bytes(2 * 1024 * 1024))
    monkeypatch.setenv("STEMCORD_MAX_DISK_GIB", "0.001")
    assert quick_visit.line("STEMCORD_MAX_DISK_GIB").startswith("FAIL")


def test_a_bot_without_public_links_has_no_mixer_page(quick_visit: Doctor):
    assert quick_visit.line("Results get no Listen button").startswith("ok")


def test_a_mixer_page_that_can_do_everything_is_good_news(
    quick_visit: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("STEMCORD_PUBLIC_URL", "https://a.example")
    models = tmp_path / "data" / "models"
    models.mkdir(parents=True)
    (models / "made").write_bytes(b"code")
    Weights(STRETCH, models).install(models / "made", notice="")
    assert quick_visit.line("Stems can be heard together").startswith("ok")
