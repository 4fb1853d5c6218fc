"""TLS certificates are checked against the host name, regardless of the dialled address."""

import asyncio
import shutil
from datetime import UTC, datetime

import httpx
import pytest

from bot.net.ip_rules import TrustedHosts
from bot.net.tls import CertificatesUnreadable, tls_context
from bot.net.transport import GuardedTransport
from tests.support.scripted_server import ok
from tests.support.tls_servers import make_certificate
from tests.support.transport_fakes import LoopbackNetwork, ScriptedResolver

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"), "results.example")


async def get(url, certificate, *, is_known=True):
    """Ask a server on loopback, which every name leads to; return its answer and what it read."""
    read: list[bytes] = []

    async def answer(reader, writer):
        read.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(ok(b"over tls"))
        await writer.drain()
        writer.close()

    own = certificate.server_context()
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=own)
    async with server:
        guarded = GuardedTransport(
            trusted=TrustedHosts(),
            resolve=ScriptedResolver(["93.184.216.34"]),
            network=LoopbackNetwork(server.sockets[0].getsockname()[1]),
            tls=tls_context({"SSL_CERT_FILE": str(certificate.cert)} if is_known else {}),
        )
        timeouts = {"connect": 2.0, "read": 2.0, "write": 2.0, "pool": 2.0}
        request = httpx.Request("GET", url, extensions={"timeout": timeouts})
        try:
            response = await guarded.handle_async_request(request)
        except httpx.TransportError as exc:
            return exc, read
        try:
            return await response.aread(), read
        finally:
            await response.aclose()


async def test_a_certificate_for_the_name_is_accepted(certificate):
    answer, _ = await get("https://results.example/a.wav", certificate)
    assert answer == b"over tls"


async def test_a_certificate_for_another_name_ends_the_connection_before_anything_is_sent(
    certificate,
):
    answer, read = await get("https://other.example/a.wav", certificate)
    assert isinstance(answer, httpx.ConnectError)
    assert read == []


async def test_a_company_s_certificate_is_named_with_the_setting_and_the_date(certificate):
    error, read = await get("https://results.example/a.wav?sig=SECRET", certificate, is_known=False)
    assert isinstance(error, httpx.ConnectError)
    assert str(error).startswith("results.example: its certificate is not accepted (self")
    assert "SSL_CERT_FILE" in str(error)
    assert f"today is {datetime.now(UTC):%Y-%m-%d}" in str(error)
    assert "SECRET" not in str(error)
    assert read == []


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_unreadable_certificates_are_one_line_with_their_setting(content, tmp_path):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(CertificatesUnreadable) as caught:
        tls_context({"SSL_CERT_FILE": str(file)})
    assert str(caught.value) == f"SSL_CERT_FILE: expected readable certificates in PEM at {file}"
