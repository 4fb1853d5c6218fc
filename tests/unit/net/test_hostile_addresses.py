"""Two thousand result addresses that try to reach this machine, all refused."""

import random
from ipaddress import IPv4Address, IPv6Address

import pytest

from bot.net.dns import Resolver
from bot.net.downloads import DownloadError, Downloads
from bot.net.ip_rules import TrustedHosts
from bot.net.transport import GuardedTransport
from tests.support.scripted_server import Connection, ok, serving
from tests.support.transport_fakes import no_tls

TRIES = 2000
INSIDE = ["127.0.0.1", "127.8.9.1", "0.0.0.0", "10.0.0.1", "172.16.5.4", "192.168.1.1"]
INSIDE += ["169.254.169.254", "100.64.1.1"]


def carried(low: int, rng: random.Random) -> IPv6Address:
    """Return an IPv6 address that embeds an IPv4 address or is translated to it."""
    noise = rng.getrandbits(16)
    return IPv6Address(
        rng.choice(
            [
                low,
                0xFFFF << 32 | low,
                0xFFFF << 48 | low,
                0x64FF9B << 96 | low,
                0x64FF9B0001 << 80 | noise << 64 | low,
                0x2002 << 112 | low << 80 | noise,
                0x20010000 << 96 | noise << 64 | (low ^ 0xFFFFFFFF),
                0xFE80 << 112 | low,
                0xFEC0 << 112 | low,
                0xFC00 << 112 | noise << 64 | low,
            ]
        )
    )


def spelled(address: str, rng: random.Random) -> str:
    """Return a spelling of this address that some resolvers accept."""
    value = int(IPv4Address(address))
    first, *rest = address.split(".")
    return rng.choice(
        [
            address,
            f"{address}.",
            str(value),
            hex(value),
            oct(value).replace("0o", "0"),
            f"{int(first):#x}.{'.'.join(rest)}",
            f"{first}.{value & 0xFFFFFF}",
            f"[{carried(value, rng)}]",
            f"user:pass@{address}",
        ]
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
async def test_no_hostile_address_reaches_this_machine(seed, tmp_path):
    rng = random.Random(seed)
    target = ""

    async def names(host: str, port: int):
        if not host.endswith(".example"):
            return await Resolver()(host, port)
        inside = rng.choice(INSIDE)
        return [rng.choice([inside, str(carried(int(IPv4Address(inside)), rng))])]

    async def redirect(connection: Connection) -> None:
        status = rng.choice(["301 A", "302 B", "303 C", "307 D", "308 E"])
        await connection.send(ok(b"", f"Location: {target}", status=status))

    async def canary(connection: Connection) -> None:
        await connection.send(ok(b"secret"))

    async with serving(canary) as inner, serving(redirect) as outer:
        trusted = TrustedHosts.parse([outer.host])
        guarded = GuardedTransport(trusted=trusted, resolve=names, tls=no_tls())
        loader = Downloads(transport=guarded)
        for _ in range(TRIES):
            host = rng.choice([spelled(rng.choice(INSIDE), rng), f"r{rng.random()}.example"])
            scheme = rng.choice(["https", "https", "http", "HTTP", "ftp"])
            target = f"{scheme}://{host}:{inner.port}/x.wav"
            url = rng.choice([target, outer.url])
            with pytest.raises(DownloadError):
                await loader.fetch(url, tmp_path / "x", max_bytes=100, deadline_s=1.0)
    assert inner.requests == []
    assert list(tmp_path.iterdir()) == []
