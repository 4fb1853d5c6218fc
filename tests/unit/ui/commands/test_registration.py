"""Commands are compared with Discord's once per start, and unknown ones are logged."""

import asyncio
import logging
from collections.abc import AsyncIterator

import discord
import pytest

from bot.i18n.languages import Languages
from bot.ui.client import Stemcord, point_at
from bot.ui.commands.registration import Registration, leftover_commands
from sandbox.server import DEFAULT_TOKEN, Sandbox

OLD = {"name": "karaoke", "type": 1, "description": "of an earlier bot", "options": []}


class Memory:
    def __init__(self) -> None:
        self.facts: dict[str, str] = {}

    async def get(self, key: str) -> str | None:
        return self.facts.get(key)

    async def put(self, key: str, value: str) -> None:
        self.facts[key] = value


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        point_at(running.api_base)
        yield running
        point_at("https://discord.com/api/v10")


async def start(sandbox: Sandbox, memory: Memory) -> int:
    """Log in as a starting bot does, and return how often commands have been sent so far."""
    registration = Registration(memory=memory, languages=Languages({}))
    client = Stemcord(registration=registration, languages=Languages({}))

    @client.tree.command(name="sing", description="for the test")
    async def sing(interaction: discord.Interaction) -> None:
        """Never called."""

    await client.login(DEFAULT_TOKEN)
    await client.close()
    return sum(entry["method"] == "PUT" for entry in sandbox.log.entries())


async def test_commands_that_discord_has_are_not_sent_again(sandbox: Sandbox) -> None:
    memory = Memory()
    assert await start(sandbox, memory) == 1
    assert await start(sandbox, memory) == 1


@pytest.mark.parametrize("theirs", [[], [OLD]])
async def test_commands_that_another_program_replaced_are_sent_again(
    sandbox: Sandbox, theirs: list[dict[str, object]]
) -> None:
    memory = Memory()
    await start(sandbox, memory)
    own = {command["name"] for command in sandbox.world.commands[None]}
    sandbox.world.commands[None] = [{**each, "id": "9", "version": "9"} for each in theirs]
    assert await start(sandbox, memory) == 2
    assert {command["name"] for command in sandbox.world.commands[None]} == own


async def test_command_that_was_edited_elsewhere_is_sent_again(sandbox: Sandbox) -> None:
    memory = Memory()
    await start(sandbox, memory)
    sandbox.world.commands[None][0]["version"] = "7"
    assert await start(sandbox, memory) == 2


async def test_commands_left_in_servers_are_named_once_with_what_removes_them(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    guild = next(guild for guild in sandbox.world.guilds.values() if guild.has_bot)
    sandbox.world.commands[guild.id] = [{**OLD, "id": "9", "version": "9"}]
    registration = Registration(memory=Memory(), languages=Languages({}))
    client = Stemcord(registration=registration, languages=Languages({}))
    await client.login(DEFAULT_TOKEN)
    found = await leftover_commands(client.http, client.application_id or 0, [guild.id, 404])
    assert found == {guild.id: ("karaoke",)}
    connecting = asyncio.create_task(client.connect())
    with caplog.at_level(logging.WARNING, logger="bot.ui.client"):
        await client.wait_until_ready()
        for _ in range(2):
            await client.on_ready()
        await client.close()
    await connecting
    warned = [each.getMessage() for each in caplog.records if each.name == "bot.ui.client"]
    assert len(warned) == 1
    assert f"server {guild.id} has commands of an earlier bot" in warned[0]
    assert "karaoke; `python -m bot clear-commands`" in warned[0]
