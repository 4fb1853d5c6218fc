"""`doctor`'s checks of this machine: model, memory, folders, disk, child processes."""

import asyncio
import importlib.metadata
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bot.audio.tools import AudioTools
from bot.cli.commands.models import has_stretch, model_problem
from bot.cli.opening.audio_link import SEPARATE
from bot.cli.opening.provider_set import engine_threads
from bot.config import ENV_FILE, Settings
from bot.domain.errors import AudioFailed, NoRoom
from bot.engine.memory import memory_limit_mib
from bot.engine.model_catalogue import MODELS
from bot.net.public_links import mixer_available
from bot.processes.confinement import missing_protections
from storage.files.data_dir import DataDir
from storage.files.job_files import JobFiles
from storage.files.ownership import DataUnusable, is_writable, why_unusable

LEAST_FREE_GIB = 1.0


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check."""

    is_good: bool
    what: str
    is_fatal: bool = True


def check_machine(settings: Settings) -> Iterator[CheckResult]:
    """Run all checks that need no connection."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield CheckResult(
        True, f"Python {version}, discord.py {importlib.metadata.version('discord.py')}"
    )
    yield from (CheckResult(False, line, is_fatal=False) for line in settings.unknown)
    needs_no_model = settings.is_for_worker and SEPARATE not in settings.worker_tasks
    if "local" in settings.usable_providers and not needs_no_model:
        yield _model(settings)
        yield from _engine(settings)
    yield from _data(DataDir(settings.data_dir))
    yield from _privacy_of_files(settings)
    yield from _disk(settings)
    yield from _links(settings)
    yield _confinement()
    yield check_time_stretch()


async def check_decoding(audio: AudioTools) -> CheckResult:
    """Decode a sound in a child: a processor may lack instructions that a library was built for."""
    async with audio:
        try:
            await audio.check()
        except (AudioFailed, NoRoom) as exc:
            return CheckResult(False, f"Audio cannot be decoded on this machine: {exc}")
    return CheckResult(True, "Audio decodes in a child process")


def check_time_stretch() -> CheckResult:
    """Check for python-stretch, the only library that lacks a wheel for some systems."""
    try:
        import python_stretch  # noqa: F401
    except ImportError as exc:
        return CheckResult(
            False,
            "Renditions cannot have another key or speed: python-stretch is missing "
            f"({exc}). Where it has no wheel, pip builds it with g++: pip install python-stretch",
            is_fatal=False,
        )
    return CheckResult(True, "Renditions can have another key and speed")


def _model(settings: Settings) -> CheckResult:
    if problem := model_problem(settings, thoroughly=True):
        return CheckResult(False, str(problem))
    return CheckResult(True, f"{MODELS[settings.local_model].title} is in {settings.models_dir}")


def _engine(settings: Settings) -> Iterator[CheckResult]:
    """Check what the model needs: memory, and time."""
    model = MODELS[settings.local_model]
    limit_mib, needed_mib = memory_limit_mib(), model.cost.memory_mib
    if limit_mib is not None:
        yield CheckResult(
            limit_mib >= needed_mib,
            f"{limit_mib:,} MiB of memory, of which the engine needs about {needed_mib:,}",
            is_fatal=False,
        )
    threads = engine_threads()
    if note := model.time_note(threads=threads):
        longest = settings.job_timeout_minutes / model.cost.duration_factor(threads=threads)
        what = f"{note}; a song of more than {longest:.0f} min misses STEMCORD_JOB_TIMEOUT_MINUTES"
        is_missed = longest < settings.max_duration_minutes
        yield CheckResult(False, what if is_missed else note, is_fatal=False)


def _data(data: DataDir) -> Iterator[CheckResult]:
    """Create the data directory if it is missing, and check that it can be written."""
    if not data.root.exists():
        home = next(parent for parent in data.root.parents if parent.exists())
        is_good = is_writable(home / data.root.name)
        yield CheckResult(
            is_good,
            f"{data.root} does not exist yet, and can be created"
            if is_good
            else why_unusable(data.root),
        )
        return
    try:
        data.check_writable()
    except (DataUnusable, OSError) as exc:
        yield CheckResult(False, str(exc))
    else:
        yield CheckResult(True, f"{data.root} can be written")
    if data.database.exists() and not is_writable(data.database):
        yield CheckResult(False, why_unusable(data.database))


def _privacy_of_files(settings: Settings) -> Iterator[CheckResult]:
    """Check whether other users of this machine can read tokens and keys."""
    data = DataDir(settings.data_dir)
    mode = _mode(data.root)
    if mode is not None and mode & 0o077:
        yield from _open_to_others((data.root, data.database), remedy=0o700)
    yield from _open_to_others((ENV_FILE.absolute(),), remedy=0o600)


def _open_to_others(paths: Iterable[Path], *, remedy: int) -> Iterator[CheckResult]:
    for path in paths:
        mode = _mode(path)
        if mode is not None and mode & 0o077:
            what = f"{path} can be read by other users (mode {mode:04o})"
            yield CheckResult(False, f"{what}: chmod {remedy:o} {path}", is_fatal=False)


def _mode(path: Path) -> int | None:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None


def _disk(settings: Settings) -> Iterator[CheckResult]:
    home = settings.data_dir
    while not home.exists():
        home = home.parent
    free_gib = shutil.disk_usage(home).free / 2**30
    yield CheckResult(
        free_gib >= LEAST_FREE_GIB, f"{free_gib:.1f} GiB free for {settings.data_dir}"
    )
    jobs = DataDir(settings.data_dir).jobs
    kept_gib = asyncio.run(JobFiles(jobs).used_bytes()) / 2**30 if jobs.is_dir() else 0.0
    yield CheckResult(
        kept_gib < settings.max_disk_gib,
        f"{kept_gib:.1f} GiB of audio kept, of {settings.max_disk_gib:g} (STEMCORD_MAX_DISK_GIB)",
    )


def _links(settings: Settings) -> Iterator[CheckResult]:
    if settings.public_url is not None and settings.public_address is None:
        yield CheckResult(
            False,
            "STEMCORD_PUBLIC_ADDRESS is not set: links share STEMCORD_OPS_ADDRESS with /metrics, "
            "which strangers can read unless a proxy sets X-Forwarded-For",
            is_fatal=False,
        )
    yield _mixer(settings)


def _mixer(settings: Settings) -> CheckResult:
    if settings.public_url is None:
        return CheckResult(True, "Results get no Listen button: STEMCORD_PUBLIC_URL is not set")
    if not mixer_available(settings.public_url):
        what = (
            "STEMCORD_PUBLIC_URL does not begin with https://, so results get no Listen button: "
            "elsewhere browsers play no stems together"
        )
        return CheckResult(False, what, is_fatal=False)
    if not has_stretch(settings):
        what = (
            "Signalsmith Stretch is not installed, so the mixer page changes neither key nor speed;"
            " `python -m bot models` fetches it with npm"
        )
        return CheckResult(False, what, is_fatal=False)
    return CheckResult(True, "Stems can be heard together at STEMCORD_PUBLIC_URL")


def _confinement() -> CheckResult:
    missing = missing_protections()
    if not missing:
        return CheckResult(True, "Processes that read songs are confined")
    what = "; ".join(missing)
    return CheckResult(False, f"This system cannot keep a hostile song from {what}", is_fatal=False)
