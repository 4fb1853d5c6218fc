"""Outgoing connections of this process: certificates, proxy and trusted hosts."""

import logging
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from bot.config import Settings, SettingsError, read_variables
from bot.net.ip_rules import TrustedHosts
from bot.net.proxies import ProxyRules, ProxyUnusable
from bot.net.tls import CA_DIR, CA_FILE, CertificatesUnreadable, own_tls_context, tls_context
from bot.net.transport import GuardedTransport

log = logging.getLogger(__name__)

_OF_CLIENTS = ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", CA_FILE, CA_DIR)
"""The variables that pip, npm and httpx read from the environment."""


def build_transport(settings: Settings) -> GuardedTransport:
    """Return the one transport for requests to addresses that users or vendors supply.

    Raises SettingsError when the operator's certificates cannot be read.
    """
    found = read_variables()
    with _certificates_as_settings():
        tls = tls_context(found)
    rules = _proxy_rules(found)
    if rules.proxy is not None:
        log.info("Discord, vendors and results are reached through the proxy %s", rules.proxy.host)
    return GuardedTransport(
        trusted=TrustedHosts.parse(settings.trusted_hosts), tls=tls, proxies=rules
    )


def discord_proxy(settings: Settings) -> str | None:
    """Return the URL of the proxy for Discord, or None if Discord is reached directly."""
    parts = urlsplit(settings.discord_api_base)
    if parts.scheme != "https":  # a stand-in for Discord on this machine
        return None
    proxy = _proxy_rules(read_variables()).of(parts.hostname or "", parts.port or 443)
    return None if proxy is None else proxy.url


def discord_tls() -> ssl.SSLContext | None:
    """Return the context that trusts the operator's own certificates, for discord.py.

    Return None without such certificates; discord.py then trusts the system's. Raises SettingsError
    for certificates that cannot be read.
    """
    with _certificates_as_settings():
        return own_tls_context(read_variables())


def configure_clients() -> None:
    """Put the proxy and the certificates of `.env` into the environment, for fetching models.

    Raises SettingsError for certificates that cannot be read.
    """
    found = read_variables()
    with _certificates_as_settings():
        own_tls_context(found)
    os.environ.update({name: found[name] for name in _OF_CLIENTS if name in found})


@contextmanager
def _certificates_as_settings() -> Iterator[None]:
    try:
        yield
    except CertificatesUnreadable as exc:
        raise SettingsError(str(exc)) from exc


def _proxy_rules(found: Mapping[str, str]) -> ProxyRules:
    try:
        return ProxyRules.read(found)
    except ProxyUnusable as exc:
        log.warning("%s; no proxy is used", exc)
        return ProxyRules()
