"""A discord.py bot against the sandbox."""

import asyncio
from pathlib import Path

import discord
import pytest

from sandbox.client import SandboxClient, SandboxRefused
from sandbox.errors import Json
from sandbox.server import Sandbox
from tests.integration.sandbox.library_bot import LibraryBot, sound


def is_filled(message: Json) -> bool:
    return bool(message["attachments"]) and message["author"]["bot"]


async def test_commands_are_registered_with_their_options(
    bot: LibraryBot, ada: SandboxClient
) -> None:
    state = await ada.state()
    split = next(command for command in state["commands"] if command["name"] == "split")
    assert [option["name"] for option in split["options"]] == ["file", "stems", "provider"]
    assert split["options"][1]["choices"][0]["value"] == "karaoke"
    assert state["bot"]["online"]


async def test_deferred_answer_is_filled_with_files(
    bot: LibraryBot, ada: SandboxClient, song: Path, tmp_path: Path
) -> None:
    answer = await ada.command("split", file=song)
    reply = await ada.wait_for(is_filled)
    assert reply["id"] == answer["message_id"]
    assert reply["content"] == "Neon_Rain.mp3 karaoke"
    assert reply["interaction"]["name"] == "split"
    assert not reply["edited"]
    [stem] = reply["attachments"]
    assert stem["filename"] == "Neon Rain (Vocals).mp3"
    await ada.download(stem, tmp_path / "stem.mp3")
    assert (tmp_path / "stem.mp3").read_bytes() == b"\0" * 1000


async def test_option_carries_the_uploaded_file(
    bot: LibraryBot, ada: SandboxClient, song: Path
) -> None:
    await ada.command("split", file=song)
    assert bot.interaction is not None
    attachment = bot.interaction.namespace.file
    assert await attachment.read() == song.read_bytes()
    assert attachment.title == "Neon Rain"
    assert attachment.ephemeral
    assert "/ephemeral-attachments/" in attachment.url


async def test_thinking_is_shown_until_the_first_edit(bot: LibraryBot, ada: SandboxClient) -> None:
    answer = await ada.command("silent")
    [message] = await ada.messages()
    assert message["id"] == answer["message_id"]
    assert message["loading"]


async def test_after_fifteen_minutes_only_the_channel_edit_works(
    bot: LibraryBot, ada: SandboxClient, sandbox: Sandbox
) -> None:
    answer = await ada.command("silent")
    interaction = bot.interaction
    assert interaction is not None
    await ada.advance(15 * 60)
    with pytest.raises(discord.HTTPException) as refused:
        await interaction.edit_original_response(content="too late")
    assert (refused.value.status, refused.value.code) == (401, 50027)
    assert isinstance(interaction.channel, discord.TextChannel)
    message = interaction.channel.get_partial_message(int(answer["message_id"]))
    await message.edit(content="in time", attachments=[sound("a.mp3"), sound("b.mp3")])
    [shown] = await ada.messages()
    assert shown["content"] == "in time"
    assert [file["filename"] for file in shown["attachments"]] == ["a.mp3", "b.mp3"]


async def test_too_large_file_is_refused_with_413(
    bot: LibraryBot, ada: SandboxClient, sandbox: Sandbox, song: Path
) -> None:
    bot.files = [sound("long.wav", sandbox.world.attachment_size_limit + 1)]
    await ada.command("split", file=song)
    await asyncio.wait_for(bot.done.wait(), 30)
    [error] = bot.met
    assert (error.status, error.code) == (413, 40005)


async def test_too_large_request_is_refused_with_413(
    bot: LibraryBot, ada: SandboxClient, song: Path
) -> None:
    bot.files = [sound(f"{number}.wav", 9 * 1024 * 1024) for number in range(3)]
    await ada.command("split", file=song)
    await asyncio.wait_for(bot.done.wait(), 30)
    assert [error.code for error in bot.met] == [40005]


async def test_answer_after_three_seconds_is_refused(
    bot: LibraryBot, ada: SandboxClient, sandbox: Sandbox
) -> None:
    sandbox.interactions.answer_within_s = 0.1
    with pytest.raises(SandboxRefused, match="did not respond"):
        await ada.command("late")
    bot.go_on.set()
    await asyncio.wait_for(bot.done.wait(), 30)
    [error] = bot.met
    assert (error.status, error.code) == (404, 10062)


async def test_second_acknowledgement_is_refused(bot: LibraryBot, ada: SandboxClient) -> None:
    await ada.command("silent")
    assert bot.interaction is not None
    again = discord.InteractionResponse(bot.interaction)
    with pytest.raises(discord.HTTPException) as refused:
        await again.send_message("again")
    assert refused.value.code == 40060


async def test_ephemeral_answer_is_for_one_person_and_not_for_the_bot_token(
    bot: LibraryBot, ada: SandboxClient, ben: SandboxClient
) -> None:
    answer = await ben.command("secret")
    assert [message["content"] for message in await ben.messages()] == ["psst"]
    assert await ada.messages() == []
    assert bot.interaction is not None
    assert isinstance(bot.interaction.channel, discord.TextChannel)
    with pytest.raises(discord.NotFound) as refused:
        await bot.interaction.channel.fetch_message(int(answer["message_id"]))
    assert refused.value.code == 10008
    await bot.interaction.edit_original_response(content="still here")
    assert [message["content"] for message in await ben.messages()] == ["still here"]


async def test_dynamic_button_edits_its_message(
    bot: LibraryBot, ada: SandboxClient, song: Path
) -> None:
    await ada.command("split", file=song)
    reply = await ada.wait_for(is_filled)
    await ada.press(reply, "Again")
    [shown] = await ada.messages()
    assert shown["content"] == "again k7f2q"
    assert shown["components"] == []
    assert shown["attachments"], "an edit that names no files keeps them"


async def test_autocomplete_gets_what_was_typed(bot: LibraryBot, ada: SandboxClient) -> None:
    choices = await ada.autocomplete("split", "provider", "lou")
    assert choices == [{"name": "Loud", "value": "loud"}]


async def test_form_is_shown_and_sent_in(bot: LibraryBot, ada: SandboxClient) -> None:
    async with ada.events() as events:
        answer = await ada.command("wish")
        form = await anext(events)
    assert (form["type"], form["title"]) == ("modal", "Wish")
    assert form["modal_id"] == answer["modal_id"]
    field = form["components"][0]["components"][0]["custom_id"]
    await ada.send_form(form["modal_id"], **{field: "Neon Rain"})
    assert [message["content"] for message in await ada.messages()] == ["wished Neon Rain"]


async def test_message_menu_gets_the_message_with_its_files(
    bot: LibraryBot, ada: SandboxClient, song: Path
) -> None:
    message = await ada.say("listen", song)
    await ada.menu("Split this audio", message["id"])
    reply = await ada.wait_for(lambda message: message["author"]["bot"])
    assert reply["content"] == "splitting Neon_Rain.mp3"


async def test_dm_reaches_the_bot_with_files_and_is_answered(
    bot: LibraryBot, ben: SandboxClient, song: Path
) -> None:
    ben.in_channel("dm")
    sent = await ben.say("split this", song)
    reply = await ben.wait_for(lambda message: message["author"]["bot"])
    assert reply["content"] == "heard split this"
    assert reply["reply_to"] == sent["id"]
    [message] = bot.heard
    assert isinstance(message.channel, discord.DMChannel)
    assert await message.attachments[0].read() == song.read_bytes()


async def test_command_for_managers_is_not_offered_to_others(
    bot: LibraryBot, ada: SandboxClient, ben: SandboxClient
) -> None:
    assert (await ada.command("manage"))["ok"]
    with pytest.raises(SandboxRefused, match="permission"):
        await ben.command("manage")


async def test_interaction_in_dm_has_a_user_and_the_bot_context(
    bot: LibraryBot, ben: SandboxClient
) -> None:
    ben.in_channel("dm")
    await ben.command("silent")
    assert bot.interaction is not None
    assert isinstance(bot.interaction.user, discord.User)
    assert bot.interaction.context.dm_channel
    assert bot.interaction.guild_id is None


async def test_lost_connection_is_resumed_and_misses_nothing(
    bot: LibraryBot, ben: SandboxClient, sandbox: Sandbox
) -> None:
    ben.in_channel("dm")
    lost = asyncio.create_task(bot.wait_for("shard_disconnect"))
    resumed = asyncio.create_task(bot.wait_for("shard_resumed"))
    await asyncio.sleep(0)
    await sandbox.gateway.drop()
    assert not sandbox.world.bot_is_online
    await ben.say("while you were away")
    await asyncio.wait_for(asyncio.gather(lost, resumed), 30)
    await ben.wait_for(lambda message: message["content"] == "heard while you were away")
    assert sandbox.gateway.identifies == 1
    assert sandbox.gateway.resumes == 1


@pytest.mark.slow
async def test_invalid_session_makes_the_bot_identify_again(
    bot: LibraryBot, ada: SandboxClient, sandbox: Sandbox
) -> None:
    ready = asyncio.create_task(bot.wait_for("shard_ready"))
    await asyncio.sleep(0)
    await sandbox.gateway.invalidate()
    assert not sandbox.world.bot_is_online
    await asyncio.wait_for(ready, 30)
    assert sandbox.gateway.identifies == 2
