"""The operator's proxy is used for https, with the same address checks as without it."""

import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import httpx
import pytest

from bot.domain.errors import ProviderDown
from bot.net.api_client import ApiClient
from bot.net.connector import AddressRefused
from bot.net.dns import Resolver
from bot.net.downloads import DownloadFailed, DownloadRefused, Downloads
from bot.net.ip_rules import TrustedHosts
from bot.net.proxies import Proxy, ProxyRules, ProxyUnusable
from bot.net.transport import GuardedTransport
from tests.support.fakes import FakeClock
from tests.support.scripted_server import Connection, answering, ok, serving
from tests.support.transport_fakes import ScriptedResolver, no_tls

PUBLIC = "93.184.216.34"


OPENED = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n"


@dataclass
class FakeProxy:
    """Gives every CONNECT request the same response, and records requests and tunnelled data."""

    answer: bytes = OPENED
    port: int = 0
    heads: list[str] = field(default_factory=list)
    handshakes: int = 0

    @property
    def targets(self) -> list[str]:
        return [head.split(" ")[1] for head in self.heads]

    async def connection(self, connection: Connection) -> None:
        self.heads.append(connection.request.decode())
        await connection.send(self.answer)
        if self.answer == OPENED and await connection.reader.read(1) == b"\x16":
            self.handshakes += 1  # a TLS handshake begins


@contextlib.asynccontextmanager
async def proxy(answer: bytes = OPENED) -> AsyncIterator[FakeProxy]:
    made = FakeProxy(answer=answer)
    async with serving(made.connection) as server:
        made.port = server.port
        yield made


async def nowhere(host: str, port: int) -> Sequence[str]:
    raise socket.gaierror(socket.EAI_NONAME, "not known")


def through(port: int, *, resolve=nowhere, no_proxy: str = "", trusted=()) -> GuardedTransport:
    settings = {"HTTPS_PROXY": f"http://me:p%40ss@127.0.0.1:{port}", "NO_PROXY": no_proxy}
    return GuardedTransport(
        trusted=TrustedHosts.parse(trusted),
        resolve=resolve,
        tls=no_tls(),
        proxies=ProxyRules.read(settings),
    )


async def get(guarded: httpx.AsyncBaseTransport, url: str) -> None:
    limits = {"connect": 2.0, "read": 2.0, "write": 2.0, "pool": 2.0}
    request = httpx.Request("GET", url, extensions={"timeout": limits})
    response = await guarded.handle_async_request(request)
    await response.aclose()


async def test_a_vendor_is_called_through_the_proxy_where_no_name_is_known():
    async with proxy() as seen:
        url = "https://api.vendor.example"
        api = ApiClient(base_url=url, transport=through(seen.port).trusting(url), clock=FakeClock())
        # The handshake fails because this proxy does not speak TLS.
        with pytest.raises(ProviderDown):
            await api.submit("/tasks", headers={}, json={})
    assert seen.targets == ["api.vendor.example:443"]
    assert seen.handshakes == 1


@pytest.mark.parametrize("resolve", [nowhere, ScriptedResolver([PUBLIC])])
async def test_songs_and_results_are_fetched_through_the_proxy(resolve, tmp_path):
    async with proxy() as seen:
        downloads = Downloads(transport=through(seen.port, resolve=resolve))
        with pytest.raises(DownloadFailed):
            await downloads.fetch(
                "https://cdn.example/a.wav", tmp_path / "a", max_bytes=9, deadline_s=3.0
            )
    assert seen.targets == ["cdn.example:443"]
    assert seen.handshakes == 1


async def test_the_proxy_is_given_its_password_and_no_more():
    async with proxy() as seen:
        with pytest.raises(httpx.TransportError):
            await get(through(seen.port), "https://cdn.example/a.wav?sig=SECRET")
    [head] = seen.heads
    assert "Proxy-Authorization: Basic bWU6cEBzcw==\r\n" in head
    assert "SECRET" not in head


INSIDE = [
    "127.0.0.1",
    "10.0.0.1",
    "[::1]",
    "169.254.169.254",
    "2130706433",
    "0x7f.1",
    "127.1",
    "localhost",
    "printer",
    "nas.local",
    "vault.internal",
    "router.home.arpa",
    "router.lan",
]


@pytest.mark.parametrize("host", INSIDE)
async def test_what_is_inside_is_refused_as_without_a_proxy(host: str, tmp_path):
    async with proxy() as seen:
        with pytest.raises(DownloadRefused):
            await Downloads(transport=through(seen.port)).fetch(
                f"https://{host}/a.wav", tmp_path / "a", max_bytes=9, deadline_s=3.0
            )
    assert seen.heads == []


@pytest.mark.parametrize("found", [["10.0.0.1"], [PUBLIC, "10.0.0.1"]])
async def test_a_name_that_leads_inside_is_refused_though_the_proxy_would_ask_again(found):
    async with proxy() as seen:
        with pytest.raises(AddressRefused):
            await get(through(seen.port, resolve=ScriptedResolver(found)), "https://cdn.example/a")
    assert seen.heads == []


@pytest.mark.parametrize("no_proxy", ["cdn.example", ".example", "*", "cdn.example:443"])
async def test_no_proxy_goes_directly(no_proxy: str):
    async with proxy() as seen:
        with pytest.raises(httpx.ConnectError, match="name is not known"):
            await get(through(seen.port, no_proxy=no_proxy), "https://cdn.example/a")
    assert seen.heads == []


ANSWERS = {
    "a wish for a password": b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
    "a refusal": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nforbidden",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "half an answer": b"HTTP/1.1 200",
    "an answer without end": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000,
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_a_proxy_that_opens_no_tunnel_is_a_failed_connection(answer: bytes):
    async with proxy(answer=answer) as seen:
        with pytest.raises(httpx.ConnectError, match=r"cdn\.example: the proxy"):
            await get(through(seen.port), "https://cdn.example/a")
    assert len(seen.heads) == 1


async def silent(connection: Connection) -> None:
    await connection.until_closed()


async def test_a_proxy_that_is_silent_runs_into_the_connect_timeout():
    async with serving(silent) as server:
        request = httpx.Request(
            "GET", "https://cdn.example/", extensions={"timeout": {"connect": 0.2}}
        )
        with pytest.raises(httpx.ConnectTimeout, match=r"cdn\.example"):
            await through(server.port).handle_async_request(request)


async def test_a_trusted_host_over_http_is_reached_directly():
    async with proxy() as seen, serving(answering(ok(b"hello"))) as stand_in:
        guarded = through(seen.port, trusted=[stand_in.host], resolve=Resolver())
        await get(guarded, f"{stand_in.url}/a")
    assert seen.heads == []
    assert stand_in.requests[0].startswith(b"GET /a ")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"HTTPS_PROXY": "http://p.example:3128"}, ("p.example", 3128)),
        ({"https_proxy": "p.example:3128"}, ("p.example", 3128)),
        ({"ALL_PROXY": "http://p.example"}, ("p.example", 80)),
        ({"HTTP_PROXY": "http://p.example:3128"}, None),
        (
            {"HTTPS_PROXY": "http://a.example:1", "ALL_PROXY": "http://b.example:2"},
            ("a.example", 1),
        ),
    ],
)
def test_the_proxy_is_read_from_its_settings(settings, expected):
    found = ProxyRules.read(settings).of("cdn.example", 443)
    assert (found and (found.host, found.port)) == expected


@pytest.mark.parametrize(
    "url", ["socks5://p.example:1080", "https://p.example", "http://", "http://p:x", "http://[p"]
)
def test_another_kind_of_proxy_is_named_with_its_setting_and_without_its_value(url: str):
    with pytest.raises(ProxyUnusable) as caught:
        ProxyRules.read({"HTTPS_PROXY": url})
    assert str(caught.value) == "HTTPS_PROXY: expected http://host:port"


@pytest.mark.parametrize(
    ("entry", "host", "is_direct"),
    [
        ("vendor.example", "vendor.example", True),
        ("vendor.example", "api.vendor.example", True),
        ("vendor.example", "notvendor.example", False),
        (".vendor.example", "api.vendor.example", True),
        ("*.vendor.example", "api.vendor.example", True),
        ("VENDOR.example", "Vendor.Example.", True),
        ("vendor.example:8443", "vendor.example", False),
        ("vendor.example:443", "vendor.example", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("::1", "::1", True),
        ("[::1]:443", "::1", True),
        ("a.example, vendor.example", "vendor.example", True),
        ("a.example vendor.example", "vendor.example", True),
        ("", "vendor.example", False),
        ("/", "vendor.example", False),
    ],
)
def test_no_proxy_names_hosts_networks_and_ports(entry: str, host: str, is_direct: bool):
    rules = ProxyRules.read({"HTTPS_PROXY": "http://p.example:3128", "NO_PROXY": entry})
    assert (rules.of(host, 443) is None) is is_direct


def test_the_password_is_in_no_text():
    assert "s3cr3t" not in repr(Proxy.parse("http://me:s3cr3t@p.example:3128"))
