"""Outbound connections as configured by environment, `.env`, certificates and proxy."""

import logging
from pathlib import Path

import pytest

from bot.cli.opening.outbound import build_transport, discord_proxy
from bot.config import SettingsError, load_settings, read_variables


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def test_an_empty_variable_does_not_hide_what_the_file_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path(".env").write_text("\ufeffATTIC_API_KEY=k\nOTHER=file\nEMPTY=\n", encoding="utf-8")
    monkeypatch.setenv("ATTIC_API_KEY", " ")
    monkeypatch.setenv("OTHER", "environment")
    found = read_variables()
    assert (found["ATTIC_API_KEY"], found["OTHER"]) == ("k", "environment")


def test_a_missing_certificate_file_in_the_file_is_one_line() -> None:
    Path(".env").write_text("SSL_CERT_FILE=/no/such/ca.pem\n")
    with pytest.raises(SettingsError) as caught:
        build_transport(load_settings())
    assert str(caught.value) == (
        "SSL_CERT_FILE: expected readable certificates in PEM at /no/such/ca.pem"
    )


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("http://me:s3cr3t@proxy.example:3128", "are reached through the proxy proxy.example"),
        (
            "socks5://me:s3cr3t@proxy.example",
            "HTTPS_PROXY: expected http://host:port; no proxy is used",
        ),
    ],
)
def test_the_log_says_whether_the_proxy_is_used(
    url: str, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    Path(".env").write_text(f"HTTPS_PROXY={url}\n")
    build_transport(load_settings())
    assert line in caplog.text
    assert "s3cr3t" not in caplog.text


@pytest.mark.parametrize(
    ("settings", "is_used"),
    [
        ("", True),
        ("NO_PROXY=discord.com\n", False),
        ("DISCORD_API_BASE=http://127.0.0.1:9/api/v10\n", False),
    ],
)
def test_discord_is_reached_through_the_proxy_too(settings: str, is_used: bool) -> None:
    url = "http://me:s3cr3t@proxy.example:3128"
    Path(".env").write_text(f"HTTPS_PROXY={url}\n{settings}")
    assert discord_proxy(load_settings()) == (url if is_used else None)
