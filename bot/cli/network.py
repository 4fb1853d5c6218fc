"""How this process reaches the outside: its environment, certificates, proxy and trusted hosts."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

from bot.config import Settings, SettingsError
from bot.net.ip_rules import TrustedHosts
from bot.net.proxies import ProxyRules, ProxyUnusable
from bot.net.tls import CertificatesUnreadable, tls_context
from bot.net.transport import GuardedTransport

log = logging.getLogger(__name__)


def build_transport(settings: Settings) -> GuardedTransport:
    """Return the one transport for requests to addresses that others chose.

    Raises SettingsError when the operator's certificates cannot be read.
    """
    found = environment()
    try:
        tls = tls_context(found)
    except CertificatesUnreadable as exc:
        raise SettingsError(str(exc)) from exc
    rules = _proxy_rules(found)
    if rules.proxy is not None:
        log.info("Discord, vendors and results are reached through the proxy %s", rules.proxy.host)
    return GuardedTransport(
        trusted=TrustedHosts.parse(settings.trusted_hosts), tls=tls, proxies=rules
    )


def discord_proxy(settings: Settings) -> str | None:
    """Return the address of the proxy through which Discord is reached, if there is one."""
    parts = urlsplit(settings.discord_api_base)
    if parts.scheme != "https":  # a stand-in on this machine
        return None
    proxy = _proxy_rules(environment()).of(parts.hostname or "", parts.port or 443)
    return None if proxy is None else proxy.url


def _proxy_rules(found: Mapping[str, str]) -> ProxyRules:
    try:
        return ProxyRules.read(found)
    except ProxyUnusable as exc:
        log.warning("%s; nothing is reached through a proxy", exc)
        return ProxyRules()


def environment(env_file: Path = Path(".env")) -> Mapping[str, str]:
    """Return the environment, and `.env` below it; an empty value counts as unset in both."""
    from_file = dotenv_values(env_file, encoding="utf-8-sig")
    found = {name: value for name, value in from_file.items() if value is not None}
    return {**found, **{name: value for name, value in os.environ.items() if value.strip()}}
