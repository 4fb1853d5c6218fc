"""`/admin` and its effects on a server's users."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.i18n.languages import Languages
from bot.ui.commands.registration import commands_payload
from sandbox.client import SandboxClient
from sandbox.entities import Guild
from tests.integration.conversations.live_bot import LiveBot
from tests.integration.conversations.scenes import made

Json = dict[str, Any]

OWNER_ONLY = "Only the people who run this bot can do that."
MANAGERS_ONLY = "Only server managers can do that, and only in their own server."


class People:
    """Ada owns the bot and the server, Ben manages the server, and Cleo does neither."""

    def __init__(self, live_bot: LiveBot) -> None:
        world = live_bot.sandbox.world
        [self.guild] = world.guilds.values()
        self.ids = {user.name: str(user.id) for user in world.people}
        self.roles = {role.name: role for role in self.guild.roles}
        self.channels = {
            channel.name: str(channel.id) for channel in world.channels.values() if channel.guild_id
        }
        self.give(self.guild, "Ben", "Host")

    def give(self, guild: Guild, name: str, *roles: str) -> None:
        """Set a user's roles."""
        guild.members[int(self.ids[name])] = tuple(self.roles[role].id for role in roles)

    def role(self, name: str) -> str:
        """Return a role's id."""
        return str(self.roles[name].id)


@pytest.fixture
def people(live_bot: LiveBot) -> People:
    return People(live_bot)


@pytest.fixture
async def cleo(live_bot: LiveBot) -> AsyncIterator[SandboxClient]:
    async with SandboxClient(live_bot.sandbox.base_url, person="Cleo") as client:
        yield client


async def answer(client: SandboxClient, name: str, **options: Any) -> Json:
    """Use a command, and return the private answer."""
    used = await client.command(name, **options)
    message = await client.wait_for(
        lambda found: (
            found["id"] == used["message_id"] and bool(found["content"] or found["embeds"])
        )
    )
    assert message["ephemeral"]
    return message


async def said(client: SandboxClient, name: str, **options: Any) -> str:
    return str((await answer(client, name, **options))["content"])


async def shown(client: SandboxClient, name: str, **options: Any) -> str:
    [embed] = (await answer(client, name, **options))["embeds"]
    return str(embed["description"])


async def stems_of(client: SandboxClient, song: Path, **options: Any) -> Json:
    used = await client.command("split", file=song, **options)
    return await client.wait_for(
        lambda found: found["id"] == used["message_id"] and bool(found["attachments"])
    )


async def refusal_of(client: SandboxClient, song: Path, **options: Any) -> str:
    return await said(client, "split", file=song, **options)


def calls(people: People) -> list[tuple[str, Json]]:
    """Return one call of every command and option."""
    cleo, host = people.ids["Cleo"], people.role("Host")
    return [
        ("admin quota set", {"user": cleo, "minutes": 500}),
        ("admin quota set", {"user": cleo, "minutes": 0}),
        ("admin quota set", {"user": cleo}),
        ("admin quota set", {"role": host, "minutes": 500}),
        ("admin quota set", {"role": host}),
        ("admin quota grant", {"user": cleo, "minutes": 500}),
        ("admin quota grant", {"minutes": 500}),
        ("admin quota grant", {"minutes": 500, "server": str(people.guild.id)}),
        ("admin quota reset", {"user": cleo}),
        ("admin quota reset", {}),
        ("admin block", {"user": people.ids["Ada"]}),
        ("admin unblock", {"user": cleo}),
        ("admin providers", {}),
        ("admin stats", {}),
        ("admin defaults", {}),
        ("admin defaults", {"private": True}),
        ("admin defaults", {"channel": people.channels["lounge"]}),
        ("admin defaults", {"stems": "vocals", "format": "flac", "delivery": "links"}),
        ("admin defaults", {"reset": True}),
    ]


def show_admin_to_everybody(live_bot: LiveBot) -> None:
    """Show `/admin` to every member, as managers can in the server settings."""
    for command in live_bot.sandbox.world.commands[None]:
        command["default_member_permissions"] = None


async def decisions(live_bot: LiveBot) -> int:
    tables = ("ledger", "allowances", "role_allowances", "limits", "blocks", "servers")
    counts = [await live_bot.db.read(f"SELECT count(*) AS rows FROM {table}") for table in tables]
    return sum(row["rows"] for [row] in counts)


async def test_two_hundred_calls_by_somebody_else_are_refused_two_hundred_times(
    live_bot: LiveBot, people: People, cleo: SandboxClient
) -> None:
    show_admin_to_everybody(live_bot)
    refused = 0
    for number in range(200):
        in_dm = number % 3 == 2
        cleo.in_channel("dm" if in_dm else "karaoke")
        possible = [
            (name, options)
            for name, options in calls(people)
            if not (in_dm and options.keys() & {"role", "channel"})
        ]
        name, options = possible[number % len(possible)]
        refused += await said(cleo, name, **options) in (OWNER_ONLY, MANAGERS_ONLY)
    assert refused == 200
    assert await decisions(live_bot) == 0


async def test_a_manager_is_refused_what_is_the_owners(
    live_bot: LiveBot, people: People, ben: SandboxClient
) -> None:
    cleo = people.ids["Cleo"]
    for name, options in (
        ("admin quota reset", {"user": cleo}),
        ("admin quota reset", {}),
        ("admin quota grant", {"minutes": 5}),
        ("admin providers", {}),
        ("admin stats", {}),
    ):
        assert await said(ben, name, **options) == OWNER_ONLY
    raised = await said(ben, "admin quota set", user=cleo, minutes=61)
    assert raised == ("You can only go below 60 min. The people who run this bot can raise that.")
    assert await decisions(live_bot) == 0


async def test_only_the_owner_learns_which_servers_there_are(
    people: People, ada: SandboxClient, ben: SandboxClient
) -> None:
    assert await ben.autocomplete("admin quota grant", "server", "") == []
    [choice] = await ada.autocomplete("admin quota grant", "server", "karaoke")
    assert choice == {"name": "Karaoke Night", "value": str(people.guild.id)}


async def test_the_owner_fills_a_pool_and_a_manager_hands_it_out(
    people: People, ada: SandboxClient, ben: SandboxClient, cleo: SandboxClient, song: Path
) -> None:
    ada.in_channel("dm")
    filled = await said(ada, "admin quota grant", minutes=100, server=str(people.guild.id))
    assert filled == "The pool of **Karaoke Night** has 100 min to hand out."
    assert "pool has 100 min to hand out" in await shown(ben, "quota")
    given = await said(ben, "admin quota grant", user=people.ids["Cleo"], minutes=10)
    assert given.startswith(f"<@{people.ids['Cleo']}> has 10 min from this server to use here.")
    assert given.endswith("The pool has 90 min left.")
    message = await stems_of(cleo, song)
    assert "4 min from this server charged, 6 of 10 left today" in str(message["embeds"])
    quota = await shown(cleo, "quota")
    assert "**60 of 60 min left** today" in quota
    assert "**6 of 10 min from this server left** today" in quota
    assert "hand out" not in quota, "the pool is the managers' business"
    cleo.in_channel("dm")
    assert "server" not in await shown(cleo, "quota")
    assert await said(ben, "admin quota grant", user=people.ids["Cleo"], minutes=91) == (
        "This server's pool has only 90 min left. The people who run this bot can fill it."
    )
    ada.in_channel("karaoke")
    emptied = await said(ada, "admin quota reset")
    assert emptied == "You took 90 min back from this server's pool."


async def test_the_highest_role_counts_in_the_server_and_none_in_a_dm(
    people: People, ada: SandboxClient, cleo: SandboxClient
) -> None:
    await said(ada, "admin quota set", role=people.role("@everyone"), minutes=20)
    singers = await said(ada, "admin quota set", role=people.role("Singer"), minutes=240)
    assert singers == (f"<@&{people.role('Singer')}> can use 240 min per period in this server.")
    assert "**20 of 20 min left**" in await shown(cleo, "quota")
    people.give(people.guild, "Cleo", "Singer")
    assert "**240 of 240 min left**" in await shown(cleo, "quota")
    cleo.in_channel("dm")
    assert "**60 of 60 min left**" in await shown(cleo, "quota")


async def test_a_roles_allowance_pays_for_a_song(
    people: People, ada: SandboxClient, cleo: SandboxClient, song: Path
) -> None:
    await said(ada, "admin quota set", role=people.role("Singer"), minutes=240)
    people.give(people.guild, "Cleo", "Singer")
    message = await stems_of(cleo, song)
    assert "4 min charged, 236 of 240 left today" in str(message["embeds"])


async def test_a_manager_lowers_and_lifts_it_again(
    people: People, ben: SandboxClient, cleo: SandboxClient
) -> None:
    who = people.ids["Cleo"]
    assert await said(ben, "admin quota set", user=who, minutes=5) == (
        f"<@{who}> can use at most 5 min per period in this server."
    )
    assert "**5 of 5 min left**" in await shown(cleo, "quota")
    assert (
        await said(ben, "admin quota set", user=who)
        == f"<@{who}> no longer has a setting of their own."
    )
    assert "**60 of 60 min left**" in await shown(cleo, "quota")


async def test_a_quota_is_set_for_a_person_or_for_a_role(
    people: People, ada: SandboxClient
) -> None:
    both = {"user": people.ids["Cleo"], "role": people.role("Singer")}
    for options in ({}, both):
        sentence = await said(ada, "admin quota set", minutes=5, **options)
        assert sentence == "Choose either a person or a role."


async def test_grants_and_resets_are_seen_in_the_quota(
    people: People, ada: SandboxClient, cleo: SandboxClient, song: Path
) -> None:
    who = people.ids["Cleo"]
    granted = await said(ada, "admin quota grant", user=who, minutes=30)
    assert granted == f"<@{who}> has 30 extra min today."
    await stems_of(cleo, song)
    assert "**86 of 90 min left**" in await shown(cleo, "quota")
    reset = await said(ada, "admin quota reset", user=who)
    assert reset == f"<@{who}> got 4 used min back. Minutes on hold stay on hold."
    assert "**90 of 90 min left**" in await shown(cleo, "quota")


async def test_a_blocked_person_is_refused_privately_and_let_in_again(
    people: People, ada: SandboxClient, ben: SandboxClient, cleo: SandboxClient, song: Path
) -> None:
    who = people.ids["Cleo"]
    await said(ben, "admin block", user=who)
    assert (await refusal_of(cleo, song)).startswith("You're blocked in this server.")
    cleo.in_channel("dm")
    await stems_of(cleo, song)
    await said(ada, "admin block", user=who)
    assert (await refusal_of(cleo, song)).startswith(
        "The people who run this bot have blocked you."
    )
    await said(ben, "admin unblock", user=who)
    assert await said(ben, "admin unblock", user=who) == OWNER_ONLY
    assert await said(ada, "admin unblock", user=who) == f"<@{who}> can split songs again."
    assert await said(ada, "admin unblock", user=who) == f"<@{who}> was not blocked."
    cleo.in_channel("karaoke")
    await stems_of(cleo, song)


async def test_a_server_sets_its_house_and_split_keeps_to_it(
    people: People, ben: SandboxClient, cleo: SandboxClient, song: Path
) -> None:
    lounge = people.channels["lounge"]
    rules = await shown(
        ben,
        "admin defaults",
        channel=lounge,
        stems="vocals",
        format="opus",
        delivery="files",
        private=True,
    )
    assert rules == (
        f"**Channels:** <#{lounge}>\n"
        "**Defaults:** Vocals, Opus, visible only to the person who asks\n"
        "**Delivery:** Files only"
    )
    assert await refusal_of(cleo, song) == (
        f"I can't split songs in this channel. Use <#{lounge}>."
    )
    cleo.in_channel("lounge")
    message = await stems_of(cleo, song)
    assert message["ephemeral"]
    assert [each["filename"] for each in message["attachments"]] == ["Neon Rain (Vocals).opus"]
    message = await stems_of(cleo, song, stems="karaoke", format="mp3", private=False)
    assert not message["ephemeral"]
    assert len(message["attachments"]) == 2


async def test_defaults_are_changed_one_by_one_and_begun_anew(
    people: People, ben: SandboxClient
) -> None:
    karaoke, lounge = people.channels["karaoke"], people.channels["lounge"]
    await shown(ben, "admin defaults", channel=lounge, stems="vocals")
    rules = await shown(ben, "admin defaults", channel=karaoke, private=True)
    assert f"<#{karaoke}>" in rules
    assert f"<#{lounge}>" in rules
    assert "Vocals, MP3, visible only to the person who asks" in rules
    rules = await shown(ben, "admin defaults", channel=karaoke)
    assert f"**Channels:** <#{lounge}>\n" in rules, "named again, it is off the list"
    assert await shown(ben, "admin defaults") == rules, "nothing asked, nothing changed"
    rules = await shown(ben, "admin defaults", reset=True, private=False)
    assert rules == (
        "**Channels:** all\n"
        "**Defaults:** Karaoke, MP3, visible to everyone\n"
        "**Delivery:** As set for the whole bot"
    )


async def test_a_server_is_not_set_up_from_a_dm(ada: SandboxClient) -> None:
    ada.in_channel("dm")
    for name, options in (("admin defaults", {}), ("admin quota grant", {"minutes": 5})):
        sentence = await said(ada, name, **options)
        assert sentence == "Use this command in the server that it's about."
    sentence = await said(ada, "admin quota grant", minutes=5, server="nowhere")
    assert sentence == "I can't tell which server you mean. Choose one from the list."


async def test_the_owner_sees_providers_and_figures(
    live_bot: LiveBot, ada: SandboxClient, cleo: SandboxClient, song: Path
) -> None:
    await made(live_bot, cleo, song)
    assert await shown(ada, "admin providers") == "**Stemcord** · ready\n0 running, 0 waiting"
    assert await shown(ada, "admin stats") == (
        "**Today:** 1 done\n"
        "**Minutes today:** 4 used, 0 on hold, 0 given back\n"
        "**Submitted to providers:** 0 min today"
    )


async def test_a_busy_store_is_answered_in_time(
    live_bot: LiveBot, people: People, ada: SandboxClient
) -> None:
    release, locked = asyncio.Event(), asyncio.Event()

    async def hold_up(_: object) -> None:
        locked.set()
        await release.wait()

    busy = asyncio.create_task(live_bot.db.write(hold_up))
    await locked.wait()
    used = await ada.command("admin block", user=people.ids["Cleo"])
    release.set()
    await busy
    message = await ada.wait_for(
        lambda found: found["id"] == used["message_id"] and bool(found["content"])
    )
    assert "is blocked everywhere" in message["content"]


async def test_admin_is_for_servers_and_the_bots_dm_and_hidden_from_members(
    live_bot: LiveBot,
) -> None:
    payload = await commands_payload(live_bot.client, Languages({}))
    [admin] = [each for each in payload if each["name"] == "admin"]
    assert admin["default_member_permissions"] == 1 << 5, "who manages the server"
    assert admin["contexts"] == [0, 1]
    assert admin["integration_types"] == [0]
    [defaults] = [each for each in admin["options"] if each["name"] == "defaults"]
    choices = {each["name"]: len(each.get("choices", ())) for each in defaults["options"]}
    assert choices["format"] == 4
    assert choices["delivery"] == 3
    assert 0 < choices["stems"] <= 25
    names = {command["name"] for command in admin["options"]}
    assert names == {"quota", "block", "unblock", "providers", "stats", "defaults"}
