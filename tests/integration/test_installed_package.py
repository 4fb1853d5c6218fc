"""The example provider in CONTRIBUTING.md, installed by pip: it is offered, and splits songs."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import AsyncIterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from bot.domain.clock import SystemClock
from bot.domain.job import State
from bot.domain.recipes import Recipe
from bot.net.downloads import Downloads
from bot.net.ip_rules import TrustedHosts
from bot.net.transport import GuardedTransport
from bot.providers.interface import Provider, ProviderContext
from bot.providers.registry import GROUP, build
from bot.ui.commands.choices import provider_choices, recipe_choices
from tests.support.harness import Harness
from tests.support.scripted_server import Connection, Server, ok, serving
from tests.support.transport_fakes import no_tls

ROOT = Path(__file__).parents[2]
_FILE = re.compile(r"^`([\w.]+)`\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def shown_files() -> dict[str, str]:
    """Return the files of the example."""
    return dict(_FILE.findall((ROOT / "CONTRIBUTING.md").read_text()))


def build_wheel(files: dict[str, str], folder: Path) -> Path:
    """Zip the files as a build backend would, so that no backend has to be installed."""
    project = tomllib.loads(files["pyproject.toml"])["project"]
    name, version = project["name"].replace("-", "_"), project["version"]
    points = "".join(
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in own.items())
        for group, own in project["entry-points"].items()
    )
    info = f"{name}-{version}.dist-info"
    content = {
        **{path: text for path, text in files.items() if path.endswith(".py")},
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": points,
    }
    content[f"{info}/RECORD"] = "".join(
        f"{path},sha256={_digest(text)},{len(text.encode())}\n" for path, text in content.items()
    )
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in content.items():
            archive.writestr(path, text)
    return wheel


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the example into a separate folder, and return the folder."""
    home = tmp_path_factory.mktemp("package")
    wheel = build_wheel(shown_files(), home)
    command = (sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps")
    told = subprocess.run(
        [*command, "--no-compile", "--target", str(home / "site"), str(wheel)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return home / "site"


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(site)
    assert [point.name for point in entry_points(group=GROUP)] == ["attic"]


def built(**settings: str) -> Provider:
    guarded = GuardedTransport(trusted=TrustedHosts(), tls=no_tls())
    context = ProviderContext(
        settings={"ATTIC_API_KEY": "k", **settings},
        transport=guarded,
        downloads=Downloads(transport=guarded),
        clock=SystemClock(),
        max_result_bytes=1 << 20,
    )
    [provider] = build(["attic"], context, ready={}).providers
    return provider


async def service(connection: Connection) -> None:
    """Attic's service, which accepts a song and returns its stems when polled."""
    line, _, rest = connection.request.partition(b"\r\n")
    if line.startswith(b"POST /tasks "):
        assert b"Authorization: Bearer k\r\n" in rest
        await connection.send(ok(b'{"id": "t 1", "state": "working"}'))
    elif line.startswith(b"GET /tasks/t%201 "):
        host = re.search(rb"Host: (\S+)", rest)
        assert host is not None
        base = f"http://{host[1].decode()}/stems"
        stems = {name: f"{base}/{name}" for name in ("vocals", "instrumental")}
        await connection.send(ok(json.dumps({"id": "t", "state": "done", "stems": stems}).encode()))
    else:
        await connection.send(ok(b"sound"))


@pytest.fixture
async def attic() -> AsyncIterator[Server]:
    async with serving(service) as server:
        yield server


@pytest.mark.usefixtures("installed")
async def test_it_is_offered_with_the_recipes_that_its_declaration_gives(tmp_path: Path) -> None:
    harness = await Harness.build(tmp_path, built())
    splits = harness.services.splits
    offers, titles = splits.offers(), splits.provider_titles()
    await harness.close()
    assert [choice.value for choice in recipe_choices(offers)] == [
        Recipe.KARAOKE,
        Recipe.INSTRUMENTAL,
        Recipe.VOCALS,
    ]
    [choice] = provider_choices("", titles=titles, offers=offers, recipe="karaoke")
    assert (choice.name, choice.value) == ("Attic", "attic")


@pytest.mark.usefixtures("installed")
async def test_it_splits_a_song(tmp_path: Path, attic: Server) -> None:
    provider = built(ATTIC_BASE_URL=attic.url)
    harness = await Harness.build(tmp_path, provider)
    job = await harness.until((await harness.split(provider="attic")).id)
    await harness.close()
    await provider.aclose()
    assert (job.state, job.provider) == (State.DELIVERED, "attic")
    paths = [request.split(b" ")[1] for request in attic.requests]
    assert sorted(paths) == [b"/stems/instrumental", b"/stems/vocals", b"/tasks", b"/tasks/t%201"]


def run_beside(
    site: Path, folder: Path, *arguments: str, providers: str, key: str
) -> subprocess.CompletedProcess[str]:
    """Run Python with the bot, the example and these settings."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(site)]),
        "STEMCORD_DATA_DIR": str(folder),
        "STEMCORD_PROVIDERS": providers,
        "ATTIC_API_KEY": key,
    }
    told = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return told


def test_the_bot_started_beside_it_shows_its_column(site: Path, tmp_path: Path) -> None:
    told = run_beside(site, tmp_path, "-m", "bot", "providers", providers="attic,local", key="k")
    header = next(line for line in told.stdout.splitlines() if "recipe" in line and "┃" in line)
    assert [cell.strip() for cell in header.strip("┃").split("┃")] == [
        "recipe",
        "Attic",
        "Stemcord",
    ]
    karaoke = next(line for line in told.stdout.splitlines() if "karaoke " in line)
    assert [cell.strip() for cell in karaoke.strip("│").split("│")] == [
        "karaoke",
        "duo",
        "spleeter",
    ]


def test_the_whole_of_it_is_shown_in_less_than_sixty_lines() -> None:
    _, _, section = (ROOT / "CONTRIBUTING.md").read_text().partition("## Adding a provider\n")
    assert len(section.partition("\n## ")[0].splitlines()) < 60


LOGS_ITS_KEY = """
import logging
from bot.cli.opening.outbound import build_transport
from bot.cli.opening.provider_set import build_embedded, build_provider_set
from bot.config import load_settings
from bot.domain.clock import SystemClock
from bot.log import configure
from bot.net.downloads import Downloads

settings = load_settings()
configure(log_format="console", level="INFO", secrets=settings.secrets())
transport = build_transport(settings)
build_provider_set(
    settings,
    embedded=build_embedded(settings),
    transport=transport,
    downloads=Downloads(transport=transport),
    clock=SystemClock(),
)
logging.getLogger("stemcord_attic").error("refused k-of-the-attic")
"""


def test_the_log_does_not_show_its_key(site: Path, tmp_path: Path) -> None:
    told = run_beside(site, tmp_path, "-c", LOGS_ITS_KEY, providers="attic", key="k-of-the-attic")
    assert "refused [redacted]" in told.stderr
    assert "k-of-the-attic" not in told.stderr
