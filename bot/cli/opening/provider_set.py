"""Builds the providers that the settings name, in order of preference."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.config import Settings, SettingsError, read_variables
from bot.domain.clock import Clock
from bot.engine.engine import Engine
from bot.engine.memory import memory_limit_mib
from bot.engine.model_catalogue import MODELS
from bot.log import add_secret
from bot.net.downloads import Downloads
from bot.net.transport import GuardedTransport
from bot.providers.interface import Provider, ProviderContext
from bot.providers.registry import ProviderSet, UnknownProvider, build
from bot.providers.self_hosted import local, workers
from bot.providers.self_hosted.local import Local
from bot.providers.self_hosted.studio import NAME as STUDIO
from bot.providers.self_hosted.studio import Studio

RESULT_BYTES_PER_S = 48_000 * 2 * 4
"""The rate of one stem as uncompressed 48 kHz stereo with 32-bit samples; no vendor sends more."""
ENGINE_THREADS = 2
ROOMY_MIB = 640
"""With less memory than this, the engine uses one thread, because each thread holds a block."""


def build_provider_set(
    settings: Settings,
    *,
    embedded: Local,
    studio: Studio | None = None,
    transport: GuardedTransport,
    downloads: Downloads,
    clock: Clock,
) -> ProviderSet:
    """Build the providers; those that cannot be built are left out, with the reason.

    The provider `workers` is not among them, because it needs the database; see `link_workers`. A
    studio that is not set up is left out silently.

    Raises SettingsError if a name is unknown or no provider is left.
    """
    context = ProviderContext(
        settings=read_variables(),  # providers may define further settings
        transport=transport,
        downloads=downloads.apart(),  # so that slow results do not delay songs
        clock=clock,
        max_result_bytes=int(settings.max_duration_minutes * 60 * RESULT_BYTES_PER_S),
        on_secret=add_secret,
    )
    ready: dict[str, Provider] = {local.NAME: embedded}
    if studio is not None:
        ready[STUDIO] = studio
    apart = {STUDIO, workers.NAME} - ready.keys()
    try:
        order = [name for name in settings.usable_providers if name not in apart]
        built = build(order, context, ready=ready)
    except UnknownProvider as exc:
        raise SettingsError(f"STEMCORD_PROVIDERS: {exc}") from exc
    if not built.providers and workers.NAME not in settings.usable_providers:
        reasons = ", ".join(f"{name}: {why}" for name, why in built.left_out.items())
        raise SettingsError(f"STEMCORD_PROVIDERS: expected one that can be used ({reasons})")
    return built


def build_embedded(settings: Settings, *, gpu_python: Path | None = None) -> Local:
    """Return the embedded engine; its worker starts with the first song.

    `gpu_python` is an interpreter that can use a graphics card.
    """
    engine = Engine(
        models_dir=settings.models_dir,
        model=MODELS[settings.local_model],
        threads=engine_threads(),
        gpu_python=gpu_python,
    )
    return Local(engine=engine)


@contextmanager
def quietly(name: str = "bot.providers") -> Iterator[None]:
    """Do not log which providers are left out, because the command itself reports them."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def engine_threads() -> int:
    """Return the number of threads that the engine uses on this machine."""
    return _engine_threads(memory_limit_mib(), os.cpu_count() or 1)


def _engine_threads(memory_mib: int | None, cores: int) -> int:
    is_roomy = memory_mib is None or memory_mib >= ROOMY_MIB
    return min(ENGINE_THREADS, cores) if is_roomy else 1
