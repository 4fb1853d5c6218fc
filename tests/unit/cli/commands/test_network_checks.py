"""The checks of `doctor` for providers, costs, the proxy and connections."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.cli.commands.machine_checks import CheckResult
from bot.cli.commands.network_checks import check_network
from bot.config import load_settings
from tests.support.scripted_server import answering, ok, serving

OURS = ("STEMCORD_", "DISCORD_", "AUDIOCLEANER_", "FINEVOICE_", "SOUNDVERSE_", "SSL_CERT_")
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(OURS) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def found(**settings: str) -> Sequence[CheckResult]:
    lines = {"DISCORD_API_BASE": NOWHERE, **settings}
    text = "".join(f"{name}={value}\n" for name, value in lines.items())
    Path(".env").write_text(text)
    return tuple(check_network(load_settings()))


def said(findings: Sequence[CheckResult], start: str) -> CheckResult:
    [finding] = [each for each in findings if each.what.startswith(start)]
    return finding


def test_a_provider_without_its_key_is_named_with_the_setting() -> None:
    finding = said(found(), "finevoice ")
    assert (finding.is_good, finding.is_fatal) == (False, False)
    assert finding.what == "finevoice is left out: FINEVOICE_API_KEY is not set"


def test_a_hosted_key_without_a_cap_is_noted() -> None:
    settings = {"FINEVOICE_API_KEY": "k-12345678", "FINEVOICE_BASE_URL": NOWHERE}
    uncapped, capped = found(**settings), found(**settings, STEMCORD_DAILY_SPEND_MINUTES="60")
    assert not said(uncapped, "hosted providers may bill without a cap").is_good
    assert not any("without a cap" in each.what for each in capped)
    assert not any("k-12345678" in each.what for each in (*uncapped, *capped))


async def test_services_are_called(tmp_path: Path) -> None:
    async with serving(answering(ok(b"{}", status="404 Not Found"))) as server:
        findings = await asyncio.to_thread(
            found,
            DISCORD_API_BASE=f"{server.url}/api/v10",
            FINEVOICE_API_KEY="k-12345678",
            FINEVOICE_BASE_URL=NOWHERE,
        )
    assert said(findings, "Discord ").what == "Discord answers at 127.0.0.1"
    out_of_reach = said(findings, "finevoice is out of reach")
    assert (out_of_reach.is_good, out_of_reach.is_fatal) == (False, False)
    assert "127.0.0.1: " in out_of_reach.what
    assert not any(b"k-12345678" in request for request in server.requests)


def test_a_proxy_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:s3cr3t@127.0.0.1:9")
    finding = said(found(), "Discord, vendors and results are reached through the proxy")
    assert (finding.is_good, finding.what.rpartition(" ")[2]) == (True, "127.0.0.1")


def test_a_proxy_of_another_kind_is_said_not_to_be_used() -> None:
    finding = said(found(HTTPS_PROXY="socks5://me:s3cr3t@127.0.0.1:9"), "HTTPS_PROXY: expected")
    assert not finding.is_good
    assert "s3cr3t" not in finding.what


def test_certificates_that_are_missing_are_one_finding() -> None:
    finding = said(found(SSL_CERT_FILE="/no/such/ca.pem"), "SSL_CERT_FILE: expected")
    assert (finding.is_good, finding.is_fatal) == (False, True)


def test_no_provider_that_can_be_used_is_one_finding() -> None:
    finding = said(found(STEMCORD_PROVIDERS="finevoice"), "STEMCORD_PROVIDERS: expected")
    assert not finding.is_good
