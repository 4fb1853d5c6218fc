"""`doctor`'s checks of the network: Discord, the proxy, and each service that the bot calls."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import httpx

from bot.cli.commands.discord_commands import ask_discord
from bot.cli.commands.machine_checks import CheckResult
from bot.cli.discord_session import DiscordRefused
from bot.cli.opening.outbound import build_transport
from bot.cli.opening.provider_set import build_embedded, build_provider_set, quietly
from bot.config import Settings, SettingsError, read_variables
from bot.domain.clock import SystemClock
from bot.net.downloads import Downloads
from bot.net.proxies import ProxyRules, ProxyUnusable
from bot.net.transport import GuardedTransport
from bot.providers.interface import Capabilities
from bot.providers.registry import ProviderSet

ANSWERS_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Service:
    """A service that the bot calls, and its address."""

    title: str
    base_url: str


def check_network(settings: Settings) -> Iterator[CheckResult]:
    """Call every service that the bot will call."""
    yield from _discord(settings)
    yield from _proxy()
    yield from _providers(settings)


def _discord(settings: Settings) -> Iterator[CheckResult]:
    try:
        name, notes = ask_discord(settings)
    except (SettingsError, DiscordRefused) as exc:
        yield CheckResult(False, str(exc))
        return
    yield CheckResult(True, f"Discord accepts DISCORD_TOKEN, as {name}")
    yield from (CheckResult(False, note, is_fatal=False) for note in notes)


def _proxy() -> Iterator[CheckResult]:
    try:
        proxy = ProxyRules.read(read_variables()).proxy
    except ProxyUnusable as exc:
        yield CheckResult(False, f"{exc}; no proxy is used")
        return
    if proxy is not None:
        yield CheckResult(
            True, f"Discord, vendors and results are reached through the proxy {proxy.host}"
        )


def _providers(settings: Settings) -> Iterator[CheckResult]:
    """Check whether providers can be used, whether their cost is capped, and whether they
    answer.
    """
    try:
        transport = build_transport(settings)
        with quietly():
            built = _build(settings, transport)
    except SettingsError as exc:
        yield CheckResult(False, str(exc))
        return
    hosted = [each.capabilities for each in built.providers if each.capabilities.is_hosted]
    for declared in hosted:
        yield CheckResult(True, f"{declared.name} has what it needs")
    for name, why in built.left_out.items():
        yield CheckResult(False, f"{name} is left out: {why}", is_fatal=False)
    if hosted and settings.daily_spend_minutes is None:
        yield CheckResult(
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
    found = read_variables()
    for declared in hosted:
        base_url = found.get(declared.base_url_setting) or declared.base_url
        if base_url:
            yield Service(declared.name, base_url)


async def _connections(
    transport: GuardedTransport, services: Iterator[Service]
) -> Sequence[CheckResult]:
    return await asyncio.gather(*(_connection(transport, each) for each in services))


async def _connection(transport: GuardedTransport, service: Service) -> CheckResult:
    """Check whether a service answers; any answer will do, as the request has no key."""
    timeout = httpx.Timeout(ANSWERS_WITHIN_S).as_dict()
    request = httpx.Request("GET", service.base_url, extensions={"timeout": timeout})
    try:
        async with asyncio.timeout(2 * ANSWERS_WITHIN_S):
            response = await transport.trusting(service.base_url).handle_async_request(request)
            await response.aclose()
    except (httpx.TransportError, TimeoutError) as exc:
        reason = str(exc) or "no answer"
        return CheckResult(False, f"{service.title} is out of reach: {reason}", is_fatal=False)
    return CheckResult(True, f"{service.title} answers at {request.url.host}")
