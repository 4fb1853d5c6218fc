"""The control API: users' views and actions, and invalid requests."""

import asyncio
from pathlib import Path

import discord
import pytest

from sandbox.client import SandboxClient, SandboxRefused
from sandbox.errors import Json
from sandbox.locales import LOCALES
from sandbox.server import Sandbox
from tests.integration.sandbox.raw_bot import RawBot


async def test_world_starts_with_three_users(ada: SandboxClient) -> None:
    state = await ada.state()
    assert state["guild"]["name"] == "Karaoke Night"
    assert [user["name"] for user in state["users"]] == ["Ada", "Ben", "Cleo"]
    assert [user["is_owner"] for user in state["users"]] == [True, False, False]
    kinds = [channel["kind"] for channel in state["channels"]]
    assert sorted(kinds) == ["dm", "dm", "dm", "text", "text"]
    assert not state["bot"]["online"]


async def test_users_cannot_read_the_dms_of_others(
    ada: SandboxClient, ben: SandboxClient, sandbox: Sandbox
) -> None:
    ben.in_channel("dm")
    sent = await ben.say("between us")
    ada_id = (await ada.state())["users"][0]["id"]
    url = f"{sandbox.base_url}/sandbox/messages?channel={sent['channel_id']}&as={ada_id}"
    async with RawBot(sandbox) as caller, caller.http.get(url) as response:
        assert await response.json() == {"error": "There is no such channel."}


async def test_events_reach_only_those_who_see_them(ada: SandboxClient, ben: SandboxClient) -> None:
    async with ada.events() as events:
        ben.in_channel("dm")
        await ben.say("between us")
        ben.in_channel("karaoke")
        await ben.say("for all")
        assert (await anext(events))["content"] == "for all"


async def test_message_is_followed_through_its_changes(
    raw_bot: RawBot, karaoke: str, ada: SandboxClient
) -> None:
    _, message = await raw_bot.ask("POST", f"{karaoke}/messages", {"content": "one"})
    path = f"{karaoke}/messages/{message['id']}"
    seen = []
    async for version in ada.follow(message["id"]):
        seen.append(version["content"])
        if version["content"] == "one":
            await raw_bot.ask("PATCH", path, {"content": "two"})
        else:
            await raw_bot.ask("DELETE", path)
    assert seen == ["one", "two"]


async def test_people_set_their_own_language(
    ada: SandboxClient, ben: SandboxClient, raw_bot: RawBot
) -> None:
    path = f"/applications/{raw_bot.application}/commands"
    await raw_bot.ask("PUT", path, [{"name": "sing", "description": "Sing"}])
    await raw_bot.listen()
    async with ada.events() as events:
        await ben.speak("ja")
        await ada.speak("es-419")
        assert await anext(events) == {"type": "locale", "locale": "es-419"}
    assert {user["name"]: user["locale"] for user in (await ada.state())["users"]} == {
        "Ada": "es-419",
        "Ben": "ja",
        "Cleo": "en-US",
    }
    for person, locale in ((ada, "es-419"), (ben, "ja")):
        waiting = asyncio.create_task(person.command("sing"))
        interaction = await raw_bot.event("INTERACTION_CREATE")
        assert interaction["locale"] == locale
        await raw_bot.answer(interaction, 5)
        await waiting
    with pytest.raises(SandboxRefused, match="no such language"):
        await ada.speak("tlh")


def test_the_languages_are_those_of_discord() -> None:
    assert sorted(LOCALES) == sorted(locale.value for locale in discord.Locale)


async def test_clock_is_moved_and_told(ada: SandboxClient) -> None:
    async with ada.events() as events:
        await ada.advance(90)
        assert (await anext(events))["clock_offset_s"] == 90
    with pytest.raises(SandboxRefused, match="ahead"):
        await ada.advance(-1)


async def test_typing_is_shown(raw_bot: RawBot, karaoke: str, ben: SandboxClient) -> None:
    async with ben.events() as events:
        await raw_bot.ask("POST", f"{karaoke}/typing")
        event = await anext(events)
    assert (event["type"], event["user_id"]) == ("typing", str(raw_bot.application))


async def test_people_delete_their_own_and_managers_everything(
    ada: SandboxClient, ben: SandboxClient
) -> None:
    by_ada, by_ben = await ada.say("by Ada"), await ben.say("by Ben")
    with pytest.raises(SandboxRefused, match="cannot delete"):
        await ben.delete(by_ada["id"])
    await ada.delete(by_ben["id"])
    assert [message["content"] for message in await ben.messages()] == ["by Ada"]


async def test_large_file_arrives_as_it_was(
    ada: SandboxClient, sandbox: Sandbox, tmp_path: Path
) -> None:
    song = tmp_path / "long.wav"
    song.write_bytes(bytes(range(256)) * 8192)
    upload = await ada.upload(song)
    assert sandbox.world.uploads[int(upload)].path.read_bytes() == song.read_bytes()


async def test_uploaded_files_are_sent_with_a_message(
    ada: SandboxClient, song: Path, tmp_path: Path
) -> None:
    sent = await ada.say("", song, song)
    assert [file["filename"] for file in sent["attachments"]] == ["Neon Rain.mp3"] * 2
    await ada.download(sent["attachments"][1], tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == song.read_bytes()


async def test_failed_message_leaves_the_chosen_files_for_the_next_try(
    ada: SandboxClient, sandbox: Sandbox, song: Path
) -> None:
    upload = await ada.upload(song)
    state = await ada.state()
    asked = {
        "as": state["users"][0]["id"],
        "channel": state["channels"][-1]["id"],
        "content": "",
    }
    url = f"{sandbox.base_url}/sandbox/messages"
    async with RawBot(sandbox) as caller:
        for uploads, is_sent in (([upload, "5"], False), ([upload, upload], True)):
            async with caller.http.post(url, json=asked | {"uploads": uploads}) as response:
                assert ("attachments" in await response.json()) is is_sent


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/commands", "no json"),
        ("POST", "/commands", "{}"),
        ("POST", "/commands", '{"as": "x", "channel": [], "name": 1}'),
        ("POST", "/commands", '{"as": 1, "channel": 1, "name": "split", "surprise": 1}'),
        ("POST", "/components", '{"as": 99999999999999999999, "message_id": 1, "custom_id": ""}'),
        ("POST", "/modals", '{"as": 1, "modal_id": "x"}'),
        ("POST", "/clock", '{"advance_s": "NaN"}'),
        ("POST", "/faults", '{"route": "", "times": 0}'),
        ("POST", "/gateway", '{"action": "explode"}'),
        ("GET", "/messages?channel=x&as=y", None),
        ("GET", "/events?as=1", None),
        ("POST", "/uploads", "no form"),
        ("DELETE", "/messages/1?as=", None),
    ],
)
async def test_invalid_request_gets_a_reason(
    raw_bot: RawBot, sandbox: Sandbox, method: str, path: str, body: str | None
) -> None:
    url = f"{sandbox.base_url}/sandbox{path}"
    async with raw_bot.http.request(method, url, data=body) as response:
        answer: Json = await response.json()
    assert answer["error"]
    assert response.status < 500
