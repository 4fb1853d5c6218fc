"""`clear-commands`, and the Discord checks of `doctor`."""

import asyncio
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.cli.commands.discord_commands import ask_discord
from bot.cli.discord_session import DiscordRefused
from bot.config import load_settings
from sandbox.server import DEFAULT_TOKEN, Sandbox
from tests.support.tls_servers import make_certificate, tls_front

OLD = {"id": "9", "version": "9", "name": "karaoke", "type": 1, "description": "x", "options": []}


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox in its own event loop, because the commands under test start theirs."""
    for name in list(os.environ):
        if name.startswith(("STEMCORD_", "DISCORD_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    made = asyncio.run_coroutine_threadsafe(_made(), loop).result(30)
    monkeypatch.setenv("DISCORD_API_BASE", made.api_base)
    monkeypatch.setenv("DISCORD_TOKEN", DEFAULT_TOKEN)
    yield made
    asyncio.run_coroutine_threadsafe(made.__aexit__(None, None, None), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def _made() -> Sandbox:
    sandbox = Sandbox()
    await sandbox.__aenter__()
    return sandbox


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate")
def test_certificates_named_in_the_file_reach_discords_library(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path, "localhost")

    async def ask() -> str:
        async with tls_front(sandbox.base_url, certificate) as url:
            monkeypatch.setenv("DISCORD_API_BASE", f"{url}/api/v10")
            name, _ = await asyncio.to_thread(ask_discord, load_settings())
            return name

    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with pytest.raises(DiscordRefused, match="its certificate is not trusted"):
        asyncio.run(ask())
    Path(".env").write_text(f"SSL_CERT_FILE={certificate.cert}\n")
    assert asyncio.run(ask()).startswith("Stemcord")


def leave_a_command(sandbox: Sandbox) -> int:
    guild = next(guild for guild in sandbox.world.guilds.values() if guild.has_bot)
    sandbox.world.commands[guild.id] = [OLD]
    return guild.id


def test_leftovers_are_removed_and_named(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    guild_id = leave_a_command(sandbox)
    assert main(["clear-commands"]) == 0
    assert capsys.readouterr().err == f"server {guild_id}: removed karaoke\n"
    assert sandbox.world.commands[guild_id] == []
    assert main(["clear-commands"]) == 0
    assert capsys.readouterr().err.startswith("No commands are left")


def test_doctor_learns_who_the_bot_is_and_what_is_left_over(sandbox: Sandbox) -> None:
    name, notes = ask_discord(load_settings())
    assert name.startswith(sandbox.world.bot.name)
    assert notes == ()
    guild_id = leave_a_command(sandbox)
    _, [note] = ask_discord(load_settings())
    assert note.startswith(f"server {guild_id} has commands of an earlier bot: karaoke")


def test_refused_token_and_absent_discord_are_one_line(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "another-token")
    assert main(["clear-commands"]) == 2
    assert capsys.readouterr().err == "DISCORD_TOKEN: Discord does not accept it\n"
    monkeypatch.setenv("DISCORD_API_BASE", "http://127.0.0.1:9/api/v10")
    assert main(["clear-commands"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("Discord cannot be asked: 127.0.0.1: ")
    assert said.count("\n") == 1
