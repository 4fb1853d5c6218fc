"""The checks of `doctor` and their output."""

from pathlib import Path

import pytest

from bot.cli.commands import doctor, network_checks
from bot.cli.commands.machine_checks import CheckResult
from bot.cli.discord_session import DiscordRefused
from bot.engine.model_catalogue import STRETCH
from bot.engine.weights import Weights
from storage.files.data_dir import DataDir
from tests.support.doctor_visit import DoctorVisit, visit_doctor, with_model


@pytest.fixture
def visit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> DoctorVisit:
    return visit_doctor(tmp_path, monkeypatch, capsys)


@pytest.fixture
def quick_visit(visit: DoctorVisit, monkeypatch: pytest.MonkeyPatch) -> DoctorVisit:
    """A visit that skips the check of decoding."""

    async def granted(_: object) -> CheckResult:
        return CheckResult(True, "Audio decodes")

    monkeypatch.setattr(doctor, "check_decoding", granted)
    return visit


def test_absent_model_is_told_from_a_damaged_one(quick_visit: DoctorVisit, tmp_path: Path):
    assert "Spleeter-2 is not in" in quick_visit.line("python -m bot models")
    assert quick_visit.status == 1
    weights = with_model(tmp_path / "data" / "models")
    whole = weights.path.read_bytes()
    weights.path.write_bytes(whole[:300])
    assert f"FAIL  {weights.path} is incomplete" in quick_visit.line("python -m bot models")
    weights.path.write_bytes(whole[::-1])
    assert f"FAIL  {weights.path} is damaged" in quick_visit.line("python -m bot models")


def test_folder_that_other_users_can_read_is_noted_and_so_is_env(
    quick_visit: DoctorVisit, tmp_path: Path
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


def test_discord_that_cannot_be_asked_fails_in_one_line(
    quick_visit: DoctorVisit, monkeypatch: pytest.MonkeyPatch
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
    quick_visit: DoctorVisit, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], word: str
):
    assert [line for line in quick_visit.says() if word in line] == []
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert quick_visit.line(word).startswith("note")


def test_audio_that_fills_its_share_of_the_disk_fails(
    quick_visit: DoctorVisit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    place = DataDir(tmp_path / "data")
    place.create()
    (place.jobs / "k7f2q").mkdir()
    (place.jobs / "k7f2q" / "master.flac").write_bytes(bytes(2 * 1024 * 1024))
    monkeypatch.setenv("STEMCORD_MAX_DISK_GIB", "0.001")
    assert quick_visit.line("STEMCORD_MAX_DISK_GIB").startswith("FAIL")


def test_a_bot_without_public_links_has_no_mixer_page(quick_visit: DoctorVisit):
    assert quick_visit.line("Results get no Listen button").startswith("ok")


def test_a_mixer_page_that_can_do_everything_is_good_news(
    quick_visit: DoctorVisit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("STEMCORD_PUBLIC_URL", "https://a.example")
    models = tmp_path / "data" / "models"
    models.mkdir(parents=True)
    (models / "made").write_bytes(b"code")
    Weights(STRETCH, models).install(models / "made", notice="")
    assert quick_visit.line("Stems can be heard together").startswith("ok")
