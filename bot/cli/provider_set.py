"""The providers that the settings name, built and in order of preference."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from bot.config import Settings, SettingsError
from bot.domain.clock import Clock
from bot.engine.catalogue import MODELS
from bot.engine.engine import Engine
from bot.log import add_secret
from bot.net.downloads import Downloads
from bot.net.ip_rules import TrustedHosts
from bot.net.proxies import ProxyRules, ProxyUnusable
from bot.net.tls import CertificatesUnreadable, tls_context
from bot.net.transport import GuardedTransport
from bot.providers import local
from bot.providers.interface import ProviderContext
from bot.providers.local import Local
from bot.providers.registry import ProviderSet, UnknownProvider, build

log = logging.getLogger(__name__)

RESULT_BYTES_PER_S = 48_000 * 2 * 4
"""One stem as uncompressed 48 kHz stereo in 32 bits: more than any vendor sends."""
ENGINE_THREADS = 2


def build_transport(settings: Settings) -> GuardedTransport:
    """Return the one transport for requests to addresses that others chose.

    Raises SettingsError when the operator's certificates cannot be read.
    """
    found = environment()
    try:
        tls = tls_context(found)
    except CertificatesUnreadable as exc:
        raise SettingsError(str(exc)) from exc
    return GuardedTransport(
        trusted=TrustedHosts.parse(settings.trusted_hosts), tls=tls, proxies=_proxies(found)
    )


def _proxies(found: Mapping[str, str]) -> ProxyRules:
    try:
        rules = ProxyRules.read(found)
    except ProxyUnusable as exc:
        log.warning("%s; vendors, songs and results are reached without a proxy", exc)
        return ProxyRules()
    if rules.proxy is not None:
        log.info("vendors, songs and results are reached through the proxy %s", rules.proxy.host)
    return rules


def build_provider_set(
    settings: Settings,
    *,
    embedded: Local,
    transport: GuardedTransport,
    downloads: Downloads,
    clock: Clock,
) -> ProviderSet:
    """Build the providers; hosted ones without a key are left out, and listed as such.

    Raises SettingsError when a name is unknown, or when no provider is left.
    """
    context = ProviderContext(
        settings=environment(),
        transport=transport,
        downloads=downloads.apart(),  # or slow results would keep songs from being fetched
        clock=clock,
        max_result_bytes=int(settings.max_duration_minutes * 60 * RESULT_BYTES_PER_S),
        on_secret=add_secret,
    )
    try:
        built = build(settings.providers, context, ready={local.NAME: embedded})
    except UnknownProvider as exc:
        raise SettingsError(f"STEMCORD_PROVIDERS: {exc}") from exc
    if not built.providers:
        reasons = ", ".join(f"{name}: {why}" for name, why in built.left_out.items())
        raise SettingsError(f"STEMCORD_PROVIDERS: expected one that can be used ({reasons})")
    return built


def build_embedded(settings: Settings) -> Local:
    """Return the embedded engine; its worker starts with the first song."""
    model = MODELS[settings.local_model]
    threads = min(ENGINE_THREADS, os.cpu_count() or 1)
    engine = Engine(models_dir=settings.models_dir, model=model, threads=threads)
    return Local(engine=engine, model=model.name)


def environment(env_file: Path = Path(".env")) -> Mapping[str, str]:
    """Return the environment, and `.env` below it; an empty value counts as unset in both."""
    from_file = dotenv_values(env_file, encoding="utf-8-sig")
    found = {name: value for name, value in from_file.items() if value is not None}
    return {**found, **{name: value for name, value in os.environ.items() if value.strip()}}
