"""`doctor`: what an operator would check by hand before asking for help."""

import asyncio
import importlib.metadata
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import httpx
from rich.console import Console

from bot.audio.tools import AudioTools
from bot.cli.network import build_transport, environment
from bot.cli.provider_set import build_embedded, build_provider_set, quietly
from bot.config import Settings, SettingsError
from bot.domain.clock import SystemClock
from bot.domain.errors import AudioFailed, ModelUnavailable, NoRoom
from bot.engine.catalogue import MODELS
from bot.engine.weights import Weights
from bot.net.downloads import Downloads
from bot.net.proxies import ProxyRules, ProxyUnusable
from bot.net.transport import GuardedTransport
from bot.processes.confinement import missing_protections
from bot.providers.interface import Capabilities
from bot.providers.registry import ProviderSet

LITESTREAM_NEEDS = (3, 51, 3)
"""Older SQLite can corrupt a WAL that two processes checkpoint: https://sqlite.org/wal.html."""
LEAST_FREE_GIB = 1.0
ANSWERS_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked."""

    is_good: bool
    what: str
    is_fatal: bool = True


@dataclass(frozen=True, slots=True)
class Service:
    """A service that the bot calls, and where."""

    title: str
    base_url: str


def doctor(settings: Settings, console: Console, *, audio: AudioTools | None = None) -> int:
    """Print each finding; 1 when something would keep the bot from working."""
    findings = [*examine(settings), asyncio.run(_decoding(audio or AudioTools()))]
    for finding in findings:
        mark = "ok  " if finding.is_good else "FAIL" if finding.is_fatal else "note"
        console.print(f"{mark}  {finding.what}", markup=False, highlight=False)
    return 1 if any(not each.is_good and each.is_fatal for each in findings) else 0


def examine(settings: Settings) -> Sequence[Finding]:
    """Check everything; calls each service that the settings name."""
    return tuple(_findings(settings))


def _findings(settings: Settings) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(True, f"Python {version}, discord.py {importlib.metadata.version('discord.py')}")
    token = settings.discord_token is not None
    yield Finding(token, "DISCORD_TOKEN is set" if token else "DISCORD_TOKEN is not set")
    yield from _proxy()
    yield from _providers(settings)
    if "local" in settings.providers:
        yield _model(settings)
    yield _disk(settings)
    yield _confinement()
    has_wal_fix = sqlite3.sqlite_version_info >= LITESTREAM_NEEDS
    advice = "may run beside Litestream" if has_wal_fix else "do not run Litestream beside it"
    yield Finding(has_wal_fix, f"SQLite {sqlite3.sqlite_version}: {advice}", is_fatal=False)


def _proxy() -> Iterator[Finding]:
    try:
        proxy = ProxyRules.read(environment()).proxy
    except ProxyUnusable as exc:
        yield Finding(False, f"{exc}; nothing is reached through a proxy")
        return
    if proxy is not None:
        yield Finding(
            True, f"Discord, vendors and results are reached through the proxy {proxy.host}"
        )


def _providers(settings: Settings) -> Iterator[Finding]:
    """Say which providers can be used, whether their cost is capped, and whether they answer."""
    try:
        transport = build_transport(settings)
        with quietly():
            built = _build(settings, transport)
    except SettingsError as exc:
        yield Finding(False, str(exc))
        return
    hosted = [each.capabilities for each in built.providers if each.capabilities.is_hosted]
    for declared in hosted:
        yield Finding(True, f"{declared.name} has what it needs")
    for name, why in built.left_out.items():
        yield Finding(False, f"{name} is left out: {why}", is_fatal=False)
    if hosted and settings.daily_spend_minutes is None:
        yield Finding(
            False,
            "hosted providers may bill without a cap: STEMCORD_DAILY_SPEND_MINUTES is not set",
            is_fatal=False,
        )
    yield from asyncio.run(_connections(transport, _services(settings, hosted)))


def _build(settings: Settings, transport: GuardedTransport) -> ProviderSet:
    return build_provider_set(
        settings,
        embedded=build_embedded(settings),
        transport=transport,
        downloads=Downloads(transport=transport),
        clock=SystemClock(),
    )


def _services(settings: Settings, hosted: Sequence[Capabilities]) -> Iterator[Service]:
    yield Service("Discord", settings.discord_api_base)
    found = environment()
    for declared in hosted:
        base_url = found.get(declared.base_url_setting) or declared.base_url
        if base_url:
            yield Service(declared.name, base_url)


async def _connections(
    transport: GuardedTransport, services: Iterator[Service]
) -> Sequence[Finding]:
    return await asyncio.gather(*(_connection(transport, each) for each in services))


async def _connection(transport: GuardedTransport, service: Service) -> Finding:
    """Say whether a service answers at all; what it answers without a key does not matter."""
    timeout = httpx.Timeout(ANSWERS_WITHIN_S).as_dict()
    request = httpx.Request("GET", service.base_url, extensions={"timeout": timeout})
    try:
        async with asyncio.timeout(2 * ANSWERS_WITHIN_S):
            response = await transport.trusting(service.base_url).handle_async_request(request)
            await response.aclose()
    except (httpx.TransportError, TimeoutError) as exc:
        reason = str(exc) or "no answer"
        return Finding(False, f"{service.title} is out of reach: {reason}", is_fatal=False)
    return Finding(True, f"{service.title} answers at {request.url.host}")


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
