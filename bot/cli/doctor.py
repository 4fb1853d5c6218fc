"""`doctor`: what an operator would check by hand before asking for help."""

import asyncio
import importlib.metadata
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console

from bot.audio.tools import AudioTools
from bot.config import Settings
from bot.domain.errors import AudioFailed, ModelUnavailable, NoRoom
from bot.engine.catalogue import MODELS
from bot.engine.weights import Weights
from bot.processes.confinement import missing_protections
from bot.providers.registry import BUILT_IN

LITESTREAM_NEEDS = (3, 51, 3)
"""Older SQLite can corrupt a WAL that two processes checkpoint (RELIABILITY in ARCHITECTURE.md)."""
LEAST_FREE_GIB = 1.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    is_good: bool
    what: str
    is_fatal: bool = True


def doctor(settings: Settings, console: Console, *, audio: AudioTools | None = None) -> int:
    """Print each finding; 1 when something would keep the bot from working."""
    findings = [*_look(settings), asyncio.run(_decoding(audio or AudioTools()))]
    for finding in findings:
        mark = "ok  " if finding.is_good else "FAIL" if finding.is_fatal else "note"
        console.print(f"{mark}  {finding.what}", markup=False, highlight=False)
    return 1 if any(not each.is_good and each.is_fatal for each in findings) else 0


def _look(settings: Settings) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(True, f"Python {version}, discord.py {importlib.metadata.version('discord.py')}")
    token = settings.discord_token is not None
    yield Finding(token, "DISCORD_TOKEN is set" if token else "DISCORD_TOKEN is not set")
    yield from _hosted(settings)
    if "local" in settings.providers:
        yield _model(settings)
    yield _disk(settings)
    yield _confinement()
    has_wal_fix = sqlite3.sqlite_version_info >= LITESTREAM_NEEDS
    advice = "may run beside Litestream" if has_wal_fix else "do not run Litestream beside it"
    yield Finding(has_wal_fix, f"SQLite {sqlite3.sqlite_version}: {advice}", is_fatal=False)


def _hosted(settings: Settings) -> Iterator[Finding]:
    for name, adapter in BUILT_IN.items():
        if name in settings.providers:
            has_key = getattr(settings, adapter.declared.key_setting.lower()) is not None
            word = "has a key" if has_key else "has no key and is left out"
            yield Finding(has_key, f"{name} {word}", is_fatal=False)


def _model(settings: Settings) -> Finding:
    model = MODELS[settings.local_model]
    try:
        Weights(model, settings.models_dir).verify()
    except ModelUnavailable as exc:
        return Finding(False, str(exc))
    return Finding(True, f"{model.title} is in {settings.models_dir}")


def _confinement() -> Finding:
    missing = missing_protections()
    if not missing:
        return Finding(True, "Processes that read songs are confined")
    what = "; ".join(missing)
    return Finding(False, f"This system cannot keep a hostile song from {what}", is_fatal=False)


async def _decoding(audio: AudioTools) -> Finding:
    """Decode in a real child: a processor may lack what a library was built for."""
    async with audio:
        try:
            await audio.check()
        except (AudioFailed, NoRoom) as exc:
            return Finding(False, f"Audio cannot be decoded on this machine: {exc}")
    return Finding(True, "Audio decodes in a child process")


def _disk(settings: Settings) -> Finding:
    home = settings.data_dir
    while not home.exists():
        home = home.parent
    free_gib = shutil.disk_usage(home).free / 2**30
    return Finding(free_gib >= LEAST_FREE_GIB, f"{free_gib:.1f} GiB free for {settings.data_dir}")
