"""The soundboard: valid sounds, permissions and events."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import discord
import pytest

from sandbox.client import SandboxClient, SandboxRefused
from sandbox.entities import Permission
from sandbox.errors import Json
from sandbox.server import Sandbox
from tests.integration.sandbox.library_bot import LibraryBot
from tests.integration.sandbox.raw_bot import RawBot
from tests.support import audio_files

CREATE = Permission.CREATE_GUILD_EXPRESSIONS
CODECS = {"mp3": "libmp3lame", "ogg": "libopus", "wav": "pcm_s16le"}


@pytest.fixture
def sounds(sandbox: Sandbox) -> str:
    guild = next(iter(sandbox.world.guilds.values()))
    return f"/guilds/{guild.id}/soundboard-sounds"


def clip(folder: Path, duration_s: float = 1.0, *, kind: str = "mp3") -> bytes:
    path = folder / f"clip.{kind}"
    rate = 48_000 if kind == "ogg" else 44_100
    tone = audio_files.tone(duration_s, sample_rate=rate)
    audio_files.write(path, kind, CODECS[kind], sound=tone, sample_rate=rate)
    return path.read_bytes()


def uri(content: bytes, mime: str = "audio/mpeg") -> str:
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


def wanted(folder: Path, **changes: Any) -> Json:
    return {"name": "Chorus", "sound": uri(clip(folder)), **changes}


async def test_sound_is_added_listed_served_and_deleted(
    raw_bot: RawBot, sounds: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    content = clip(tmp_path)
    asked = {"name": "Chorus", "sound": uri(content), "volume": 0.5, "emoji_name": "🎤"}
    status, sound = await raw_bot.ask("POST", sounds, asked)
    assert status == 201
    assert (sound["name"], sound["volume"], sound["emoji_name"]) == ("Chorus", 0.5, "🎤")
    assert (sound["available"], sound["user"]["username"]) == (True, "Stemcord")
    assert (await raw_bot.ask("GET", sounds))[1] == {"items": [sound]}
    path = f"{sounds}/{sound['sound_id']}"
    assert (await raw_bot.ask("GET", path))[1] == sound
    url = f"{sandbox.base_url}/soundboard-sounds/{sound['sound_id']}"
    async with raw_bot.http.get(url) as response:
        assert response.headers["Content-Type"] == "audio/mpeg"
        assert await response.read() == content
    assert (await raw_bot.ask("DELETE", path))[0] == 204
    assert (await raw_bot.ask("GET", sounds))[1] == {"items": []}
    assert await raw_bot.refused("DELETE", path) == 10097
    async with raw_bot.http.get(url) as response:
        assert response.status == 404


@pytest.mark.parametrize(("kind", "mime"), [("mp3", "audio/mpeg"), ("ogg", "audio/ogg")])
async def test_sound_as_long_as_allowed_is_taken(
    raw_bot: RawBot, sounds: str, tmp_path: Path, kind: str, mime: str
) -> None:
    content = clip(tmp_path, 5.0, kind=kind)
    status, _ = await raw_bot.ask("POST", sounds, {"name": "ab", "sound": uri(content, mime)})
    assert status == 201


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"name": "x"}, "name"),
        ({"name": "x" * 33}, "name"),
        ({"name": None}, "name"),
        ({"volume": 1.5}, "volume"),
        ({"volume": "loud"}, "volume"),
        ({"sound": None}, "sound"),
        ({"sound": "Chorus"}, "sound"),
        ({"sound": uri(b"\xff\xfb" * 100)}, "sound"),
        ({"sound": uri(b"\0" * (512 * 1024 + 1))}, "sound"),
        ({"sound": "data:audio/mpeg;base64,x"}, "sound"),
    ],
)
async def test_sound_beyond_a_limit_is_refused(
    raw_bot: RawBot, sounds: str, tmp_path: Path, changes: Json, wrong: str
) -> None:
    body = wanted(tmp_path, **changes)
    assert await raw_bot.wrong_paths("POST", sounds, body) == {wrong}


@pytest.mark.parametrize(
    ("kind", "mime", "duration_s"),
    [("mp3", "audio/mpeg", 5.3), ("ogg", "audio/ogg", 5.3), ("wav", "audio/wav", 1.0)],
)
async def test_sound_that_is_too_long_or_of_another_kind_is_refused(
    raw_bot: RawBot, sounds: str, tmp_path: Path, kind: str, mime: str, duration_s: float
) -> None:
    body = {"name": "Chorus", "sound": uri(clip(tmp_path, duration_s, kind=kind), mime)}
    assert await raw_bot.wrong_paths("POST", sounds, body) == {"sound"}


async def test_full_soundboard_takes_no_more(
    raw_bot: RawBot, sounds: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.world.soundboard_slots = 1
    assert (await raw_bot.ask("POST", sounds, wanted(tmp_path)))[0] == 201
    assert await raw_bot.refused("POST", sounds, wanted(tmp_path)) == 30045


async def test_bot_needs_the_permission_to_create(
    raw_bot: RawBot, sounds: str, ada: SandboxClient, sandbox: Sandbox, tmp_path: Path
) -> None:
    _, sound = await raw_bot.ask("POST", sounds, wanted(tmp_path))
    path = f"{sounds}/{sound['sound_id']}"
    await ada.permit_bot(create_guild_expressions=False)
    assert await raw_bot.refused("POST", sounds, wanted(tmp_path)) == 50013
    assert await raw_bot.refused("DELETE", path) == 50013
    assert "user" not in (await raw_bot.ask("GET", path))[1]
    await ada.permit_bot(manage_guild_expressions=True)
    assert (await raw_bot.ask("DELETE", path))[0] == 204
    assert await raw_bot.refused("POST", sounds, wanted(tmp_path)) == 50013


async def test_server_without_the_bot_is_unknown(raw_bot: RawBot, tmp_path: Path) -> None:
    assert await raw_bot.refused("POST", "/guilds/1/soundboard-sounds", wanted(tmp_path)) == 10004


async def test_interaction_tells_who_may_create_expressions(
    raw_bot: RawBot, ada: SandboxClient, ben: SandboxClient
) -> None:
    path = f"/applications/{raw_bot.application}/commands"
    await raw_bot.ask("PUT", path, [{"name": "sing", "description": "Sing"}])
    await raw_bot.listen()

    async def may(person: SandboxClient) -> tuple[bool, bool]:
        waiting = asyncio.create_task(person.command("sing"))
        interaction = await raw_bot.event("INTERACTION_CREATE")
        await raw_bot.answer(interaction, 5)
        await waiting
        held = int(interaction["member"]["permissions"]), int(interaction["app_permissions"])
        return bool(held[0] & CREATE), bool(held[1] & CREATE)

    assert await may(ada) == (True, True)
    assert await may(ben) == (False, True)
    await ben.permit(create_guild_expressions=True)
    await ben.permit_bot(create_guild_expressions=False)
    assert await may(ben) == (True, False)
    await ben.permit(create_guild_expressions=False)
    assert await may(ben) == (False, False)
    with pytest.raises(SandboxRefused):
        await ben.permit(fly=True)


async def test_new_sounds_reach_the_page_and_a_bot_that_asked_for_them(
    raw_bot: RawBot, sounds: str, ada: SandboxClient, tmp_path: Path
) -> None:
    socket = await raw_bot.identify(intents=1 | 1 << 3)
    assert [(await socket.receive_json())["t"] for _ in range(2)] == ["READY", "GUILD_CREATE"]
    async with ada.events() as events:
        _, sound = await raw_bot.ask("POST", sounds, wanted(tmp_path))
        assert (await anext(events))["type"] == "sounds"
    created = await socket.receive_json()
    assert (created["t"], created["d"]) == ("GUILD_SOUNDBOARD_SOUND_CREATE", sound)
    [shown] = (await ada.state())["sounds"]
    assert (shown["name"], shown["creator"]) == ("Chorus", "Stemcord")
    await raw_bot.ask("DELETE", f"{sounds}/{sound['sound_id']}")
    deleted = await socket.receive_json()
    assert deleted["t"] == "GUILD_SOUNDBOARD_SOUND_DELETE"
    assert deleted["d"]["sound_id"] == sound["sound_id"]
    assert (await ada.state())["sounds"] == []


async def test_library_adds_and_deletes_a_sound(
    bot: LibraryBot, sandbox: Sandbox, tmp_path: Path
) -> None:
    [guild] = bot.guilds
    sound = await guild.create_soundboard_sound(name="Chorus", sound=clip(tmp_path), volume=0.8)
    [listed] = await guild.fetch_soundboard_sounds()
    assert (listed.id, listed.name, listed.volume) == (sound.id, "Chorus", 0.8)
    sandbox.world.soundboard_slots = 1
    with pytest.raises(discord.HTTPException) as refused:
        await guild.create_soundboard_sound(name="Verse", sound=clip(tmp_path))
    assert refused.value.code == 30045
    await listed.delete()
    assert await guild.fetch_soundboard_sounds() == []
