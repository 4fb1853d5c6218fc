"""The log of a whole process."""

import subprocess
import sys
import textwrap

import pytest


def run_configured(script: str, *, log_format: str = "console") -> subprocess.CompletedProcess[str]:
    set_up = f"""
        import logging, warnings
        from bot.log import configure
        configure(log_format="{log_format}", level="DEBUG", secrets=["k-12345678"])
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(set_up) + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_all_goes_to_standard_error_and_talkative_libraries_are_hushed():
    done = run_configured(
        """
        for name in ("httpx", "httpcore.http11", "aiosqlite", "procrastinate.worker"):
            logging.getLogger(name).info("address and values")
        logging.getLogger("aiohttp.server").error("what a stranger sent")
        logging.getLogger("discord.gateway").debug("frame")
        logging.getLogger("discord.gateway").info("connected")
        logging.getLogger("bot.x").debug("ours")
        """
    )

    assert done.stdout == ""
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == ["connected", "ours"]


def test_an_outage_is_not_told_by_every_try_of_a_pool_of_connections():
    done = run_configured(
        """
        for number in range(3):
            logging.getLogger("psycopg.pool").warning("error connecting in 'pool-%d'", number)
            logging.getLogger("psycopg.pool").warning("reconnection failed after %d s", number)
        """
    )

    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == [
        "error connecting in 'pool-0'",
        "reconnection failed after 0 s",
    ]


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_uncaught_errors_and_warnings_are_redacted_too(log_format: str):
    done = run_configured(
        """
        warnings.warn("about k-12345678")
        raise RuntimeError("with k-12345678")
        """,
        log_format=log_format,
    )

    assert done.returncode == 1
    assert "RuntimeError: with [redacted]" in done.stderr
    assert "about [redacted]" in done.stderr
    assert "k-12345678" not in done.stderr


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_secret_that_becomes_known_later_is_redacted_from_then_on(log_format: str):
    done = run_configured(
        """
        from bot.log import add_secret
        add_secret("s3cr3t-of-a-package")
        logging.getLogger("bot.x").info("sent s3cr3t-of-a-package and k-12345678")
        """,
        log_format=log_format,
    )

    assert "sent [redacted] and [redacted]" in done.stderr
    assert "s3cr3t" not in done.stderr
