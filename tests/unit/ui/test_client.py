import asyncio
from collections.abc import AsyncIterator
from typing import Any

import discord
import pytest
from discord.http import Route

from bot.domain.recipes import Recipe
from bot.i18n.languages import Languages
from bot.scheduling.plans import Offer
from bot.ui import sharding
from bot.ui.client import Stemcord, point_at
from bot.ui.commands.registration import META_KEY, Registration, commands_payload
from bot.ui.sharding import NotTheOwner, Sharding
from cogs import add_cogs
from sandbox.client import SandboxClient
from sandbox.command_rules import check_commands
from sandbox.faults import Fault
from sandbox.server import DEFAULT_TOKEN, Sandbox
from storage.groups.shard_group import ShardGroup
from tests.support.discord_fakes import OfferingSplits, services_of
from tests.support.installed_languages import installed


class Memory:
    def __init__(self) -> None:
        self.facts: dict[str, str] = {}

    async def get(self, key: str) -> str | None:
        return self.facts.get(key)

    async def put(self, key: str, value: str) -> None:
        self.facts[key] = value


async def a_client(memory: Memory | None = None, *, splits: Any = None, **options: Any) -> Stemcord:
    languages = installed()
    registration = Registration(memory=memory or Memory(), languages=languages)
    client = Stemcord(registration=registration, languages=languages, **options)
    await add_cogs(client, services_of(splits=splits))
    return client


@pytest.fixture
async def offline() -> AsyncIterator[Stemcord]:
    client = await a_client()
    yield client
    await client.close()


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        point_at(running.api_base + "/")
        yield running
        point_at("https://discord.com/api/v10")


async def test_the_commands_are_within_discords_limits(offline: Stemcord) -> None:
    payload = await commands_payload(offline, Languages({}))
    check_commands(payload)
    assert {command["name"] for command in payload} == {
        "split",
        "Split this audio",
        "jobs",
        "result",
        "remix",
        "batch",
        "cancel",
        "quota",
        "admin",
        "privacy",
        "help",
    }
    for command in payload:
        # Managers' decisions require a server that the bot is in.
        assert command["integration_types"] == ([0] if command["name"] == "admin" else [0, 1])
        assert command["contexts"] == ([0, 1] if command["name"] == "admin" else [0, 1, 2])


async def test_split_says_all_of_its_options(offline: Stemcord) -> None:
    payload = await commands_payload(offline, Languages({}))
    split = next(each for each in payload if each["name"] == "split")
    options = {option["name"]: option for option in split["options"]}
    assert list(options) == [
        "file",
        "stems",
        "format",
        "provider",
        "private",
        "key",
        "speed",
    ]
    assert {"audio", "video", ".flac"} <= set(options["file"]["file_types"])
    assert options["file"]["required"]
    assert [choice["value"] for choice in options["stems"]["choices"]] == list(Recipe)
    assert options["stems"]["choices"][0]["name"] == ("Karaoke: instrumental and vocals (basic)")
    assert [choice["name"] for choice in options["format"]["choices"]] == [
        "MP3",
        "FLAC",
        "WAV",
        "Opus",
    ]
    assert options["provider"]["autocomplete"]


async def test_two_clients_share_no_choices() -> None:
    fewer: Any = OfferingSplits()
    fewer.offers = lambda: (Offer(Recipe.VOCALS, ("local",), is_basic=False),)
    first, second = await a_client(), await a_client(splits=fewer)
    payloads = [await commands_payload(client, Languages({})) for client in (first, second)]
    splits = [next(each for each in commands if each["name"] == "split") for commands in payloads]
    sizes = [len(split["options"][1]["choices"]) for split in splits]
    assert sizes == [len(Recipe), 1]
    await first.close()
    await second.close()


async def test_it_asks_for_no_more_than_it_needs(offline: Stemcord) -> None:
    assert {name for name, is_on in offline.intents if is_on} == {"guilds", "dm_messages"}
    mentions: Any = offline.allowed_mentions
    assert mentions.to_dict() == {"parse": []}
    assert offline.help_command is None


async def test_commands_are_registered_only_when_they_changed(sandbox: Sandbox) -> None:
    memory = Memory()

    async def start() -> int:
        client = await a_client(memory)
        await client.login(DEFAULT_TOKEN)
        await client.close()
        async with SandboxClient(sandbox.base_url) as people:
            return sum(entry["method"] == "PUT" for entry in await people.log())

    assert await start() == 1
    assert await start() == 1
    memory.facts[META_KEY] = "something older"
    assert await start() == 2


async def test_another_application_gets_its_commands_too(sandbox: Sandbox) -> None:
    memory = Memory()
    client = await a_client(memory)
    await client.login(DEFAULT_TOKEN)
    await client.close()
    async with Sandbox() as other:
        point_at(other.api_base)
        client = await a_client(memory)
        await client.login(DEFAULT_TOKEN)
        await client.close()
        assert other.world.commands[None]


async def test_a_client_that_is_told_to_end_does_so_while_it_connects_anew(
    sandbox: Sandbox,
) -> None:
    client = await a_client()
    await client.login(DEFAULT_TOKEN)
    living = asyncio.create_task(client.connect())
    silence = Fault(route="GET /gateway*", delay_s=60, times=1)
    async with asyncio.timeout(30):
        while not client.is_ready():
            await asyncio.sleep(0.01)
        sandbox.faults.add(silence)
        await sandbox.gateway.drop()
        while silence.times:
            await asyncio.sleep(0.01)
    living.cancel()
    ended, _ = await asyncio.wait({living}, timeout=10)
    await client.close()
    assert ended


async def connected(client: Stemcord) -> None:
    """Log in, and return when all shards of the client are ready."""
    await client.login(DEFAULT_TOKEN)
    connecting = asyncio.create_task(client.connect())
    try:
        async with asyncio.timeout(10):
            await client.wait_until_ready()
    finally:
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)


async def test_a_group_identifies_in_its_turns_and_leaves_the_commands_to_shard_0() -> None:
    taken = []

    async def turn_s(shard_id: int, max_concurrency: int) -> float:
        taken.append((shard_id, max_concurrency))
        return 0.01

    async with Sandbox(shards=4, max_concurrency=4) as sandbox:
        point_at(sandbox.api_base)
        client = await a_client(sharding=Sharding(group=ShardGroup(2, 3, 4), turn_s=turn_s))
        await connected(client)
        names = {guild.name for guild in client.guilds}
        await client.close()
        point_at("https://discord.com/api/v10")
    assert taken == [(2, 4), (3, 4)]
    assert names == {"Open Stage 2", "Open Stage 3"}
    assert not sandbox.world.commands[None]


async def test_a_client_that_may_not_act_sends_nothing_but_late_refusals(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharding, "LATE_S", 0.2)
    is_owner = True
    client = await a_client(may_act=lambda: is_owner)
    await client.login(DEFAULT_TOKEN)
    is_owner = False
    with pytest.raises(NotTheOwner):
        await client.fetch_user(1)
    before = asyncio.get_running_loop().time()
    with pytest.raises(discord.NotFound):
        await client.http.request(Route("POST", "/interactions/1/token/callback"), json={})
    assert asyncio.get_running_loop().time() - before > 0.15
    await client.close()
