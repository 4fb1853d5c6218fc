"""The compose files and systemd units name settings, commands and files that exist."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.cli.command_line import COMMANDS
from bot.config import Settings

ROOT = Path(__file__).parents[2]
SETTINGS = {str(field.alias): field for field in Settings.model_fields.values()}
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
COMPOSE = [ROOT / "compose.yaml", ROOT / "deploy" / "compose.cluster.yaml"]
LONGEST_STOP_S = 10
"""The longest that a stop may take with the default STEMCORD_STOP_GRACE_S."""


class Unit(configparser.RawConfigParser):
    """A unit file, in which names keep their case and may be repeated."""

    def __init__(self, path: Path) -> None:
        super().__init__(strict=False, delimiters=("=",))
        self.lines = [line.partition("=") for line in path.read_text().splitlines()]
        self.optionxform = str  # type: ignore[assignment,method-assign]
        self.read(path)

    def all(self, name: str) -> list[str]:
        return [value for found, _, value in self.lines if found == name]


@pytest.fixture(params=UNITS, ids=lambda path: path.name)
def unit(request: pytest.FixtureRequest) -> Unit:
    return Unit(request.param)


def services() -> list[tuple[str, dict[str, Any]]]:
    """Return the name and the definition of each service that runs the bot's image."""
    found = []
    for path in COMPOSE:
        for name, service in yaml.safe_load(path.read_text())["services"].items():
            if service["image"].startswith("stemcord"):
                found.append((f"{path.name}:{name}", service))
    return found


@pytest.fixture(params=services(), ids=lambda found: found[0])
def service(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.param[1]
    return found


def test_a_unit_runs_a_command_that_exists(unit: Unit):
    command = unit["Service"]["ExecStart"].split()
    assert command[:3] == ["/opt/stemcord/.venv/bin/python", "-m", "bot"]
    assert command[3:] == [] or command[3] in COMMANDS


def test_a_unit_sets_settings_that_exist(unit: Unit):
    names = {each.partition("=")[0] for each in unit.all("Environment")}
    assert {name for name in names if name.startswith("STEMCORD_")} <= set(SETTINGS)
    assert "STEMCORD_DATA_DIR" in names


def test_a_unit_restarts_always_and_gives_a_stop_its_time(unit: Unit):
    service = unit["Service"]
    assert service["Restart"] == "always"
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert float(service["TimeoutStopSec"].removesuffix("s")) > LONGEST_STOP_S
    # The end of a child must not stop the bot.
    assert service["KillMode"] == "mixed"
    assert service["OOMPolicy"] == "continue"


def test_a_unit_hardens_the_process_but_leaves_it_its_own_confinement(unit: Unit):
    service = unit["Service"]
    for name, value in (
        ("NoNewPrivileges", "true"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "true"),
        ("CapabilityBoundingSet", ""),
        ("User", "stemcord"),
    ):
        assert service[name] == value
    assert service["SystemCallFilter"].startswith("~")
    assert "@sandbox" not in service["SystemCallFilter"]


def test_only_bots_read_the_file_with_the_token():
    reads = {path.stem: Unit(path).all("EnvironmentFile") for path in UNITS}
    assert reads["stemcord-worker@"] == ["/etc/stemcord/worker.env"]
    assert all(
        files[0] == "/etc/stemcord/bot.env" for name, files in reads.items() if "bot" in name
    )


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_accepts_a_unit(path: Path, tmp_path: Path):
    # The interpreter of the unit is not on this machine.
    here = re.sub(r"/opt/stemcord/\.venv/bin/python", "/bin/true", path.read_text())
    (tmp_path / path.name).write_text(here)
    done = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / path.name],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert path.stem.rstrip("@") not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr


def test_a_service_sets_settings_that_exist(service: dict[str, Any]):
    assert set(service["environment"]) <= set(SETTINGS)
    [command] = service.get("command", ["run"])
    assert command in COMMANDS


def test_a_service_is_confined_and_has_time_to_stop(service: dict[str, Any]):
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert float(service["stop_grace_period"].removesuffix("s")) > LONGEST_STOP_S
    assert service["restart"] in {"always", "unless-stopped"}
    for limit in ("mem_limit", "pids_limit", "ulimits"):
        assert limit in service


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_an_image_that_is_fetched_has_an_exact_version_and_limits(path: Path):
    for service in yaml.safe_load(path.read_text())["services"].values():
        if "build" not in service:
            assert re.fullmatch(r"[a-z]+:\d+\.[\d.]+-\w+", service["image"])
            assert {"mem_limit", "pids_limit"} <= set(service)


def test_workers_get_no_token():
    worker = dict(services())["compose.cluster.yaml:worker"]
    assert "env_file" not in worker


def test_files_that_a_service_needs_are_there(service: dict[str, Any]):
    build = service["build"]
    lock = build["args"]["LOCK"] if isinstance(build, dict) else "run"
    assert (ROOT / "requirements" / f"{lock}.lock").exists()
    assert "ARG LOCK=run" in (ROOT / "Dockerfile").read_text()


@pytest.mark.parametrize("path", ["Dockerfile", "deploy/README.md"])
def test_modules_are_compiled_where_the_bot_may_not_do_that(path: str):
    """Otherwise every start compiles them all."""
    text = (ROOT / path).read_text()
    assert "python -m compileall -q bot cogs storage" in text
