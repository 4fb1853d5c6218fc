"""Songs that outlast Discord's token, in every context of a command."""

import asyncio
from pathlib import Path

import pytest

from bot.domain.job import State
from sandbox.client import SandboxClient
from tests.integration.conversations.live_bot import LiveBot
from tests.integration.conversations.scenes import (
    filenames,
    has_stems,
    job_id_of,
    person,
    settle_outside,
    shows,
    until_over,
    until_sent,
)

STEMS = ["Neon Rain (Instrumental).mp3", "Neon Rain (Vocals).mp3"]
OUTSIDE = ["user install", "group", "private"]


async def ask(live_bot: LiveBot, ada: SandboxClient, song: Path, **options: object) -> str:
    """Request stems that are held back until the test releases them, and return the reply's id."""
    live_bot.provider.gate = asyncio.Event()
    answer = await ada.command("split", file=song, **options)
    await until_sent(live_bot)
    return str(answer["message_id"])


async def finish(live_bot: LiveBot) -> None:
    assert live_bot.provider.gate is not None
    live_bot.provider.gate.set()


def refuse_dms(live_bot: LiveBot) -> None:
    ada = person(live_bot, "Ada")
    live_bot.sandbox.world.change_user(ada.id, accepts_dms=False, installed_app=ada.installed_app)


@pytest.mark.parametrize("channel", ["karaoke", "dm"])
async def test_where_the_bot_is_a_member_its_own_token_takes_over(
    live_bot: LiveBot, ada: SandboxClient, song: Path, channel: str
) -> None:
    ada.in_channel(channel)
    message_id = await ask(live_bot, ada, song)
    await ada.advance(14 * 60 + 10)
    await asyncio.sleep(0.1)
    [message] = await ada.messages()
    assert "/result" not in str(message["embeds"]), "nothing changes here, so nothing is said"
    await ada.advance(2 * 60)
    await finish(live_bot)
    message = await ada.wait_for(has_stems)
    assert message["id"] == message_id
    assert filenames(message) == STEMS
    assert len(await ada.messages()) == 1


@pytest.mark.parametrize("place", ["ephemeral", *OUTSIDE])
async def test_elsewhere_the_reply_says_beforehand_how_the_stems_come_and_they_do(
    live_bot: LiveBot, ada: SandboxClient, song: Path, place: str
) -> None:
    if place != "ephemeral":
        ada.in_channel(settle_outside(live_bot, place))
    await ask(live_bot, ada, song, private=place == "ephemeral")
    await ada.advance(14 * 60 + 10)
    told = await ada.wait_for(shows("only 15 minutes"))
    assert f"`{job_id_of(told)}`" in told["embeds"][0]["description"]
    await ada.advance(60)
    await finish(live_bot)
    job = await until_over(live_bot)
    assert job.state is State.DELIVERED
    ada.in_channel("dm")
    message = await ada.wait_for(has_stems)
    assert filenames(message) == STEMS
    assert "didn't let me post them where you asked" in message["embeds"][0]["description"]


@pytest.mark.parametrize("place", ["ephemeral", *OUTSIDE])
async def test_where_direct_messages_are_refused_too_result_brings_the_stems(
    live_bot: LiveBot, ada: SandboxClient, song: Path, place: str
) -> None:
    if place != "ephemeral":
        ada.in_channel(settle_outside(live_bot, place))
    refuse_dms(live_bot)
    await ask(live_bot, ada, song, private=place == "ephemeral")
    await ada.advance(16 * 60)
    await finish(live_bot)
    job = await until_over(live_bot)
    assert job.state is State.KEPT
    [choice] = await ada.autocomplete("result", "job", "neon")
    assert choice["value"] == job.id
    answer = await ada.command("result", job=job.id)
    message = await ada.wait_for(has_stems)
    assert message["id"] == answer["message_id"]
    assert filenames(message) == STEMS
    assert message["ephemeral"] == (place == "ephemeral")
    kept = await live_bot.jobs.get(job.id)
    assert kept is not None
    assert kept.state is State.KEPT, "showing it again changes nothing"


async def test_a_deleted_reply_is_not_the_end_of_its_stems(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    await ada.delete(await ask(live_bot, ada, song))
    await finish(live_bot)
    assert (await until_over(live_bot)).state is State.DELIVERED
    ada.in_channel("dm")
    assert filenames(await ada.wait_for(has_stems)) == STEMS


async def test_a_channel_that_the_bot_may_no_longer_see_is_not_the_end_either(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    await ask(live_bot, ada, song)
    await ada.advance(16 * 60)
    channels = live_bot.sandbox.world.channels.values()
    [channel] = [each for each in channels if each.name == "karaoke"]
    live_bot.sandbox.world.set_bot_access(channel.id, view=False, send=False)
    await finish(live_bot)
    assert (await until_over(live_bot)).state is State.DELIVERED
    ada.in_channel("dm")
    assert filenames(await ada.wait_for(has_stems)) == STEMS


@pytest.mark.parametrize(("status", "code"), [(400, 50083), (403, 50013), (404, 10003)])
async def test_an_archived_thread_or_one_that_is_gone_leaves_the_direct_message(
    live_bot: LiveBot, ada: SandboxClient, song: Path, status: int, code: int
) -> None:
    await ask(live_bot, ada, song)
    await ada.advance(16 * 60)
    await ada.fault("PATCH /channels/*", status=status, code=code)
    await finish(live_bot)
    assert (await until_over(live_bot)).state is State.DELIVERED
    ada.in_channel("dm")
    assert filenames(await ada.wait_for(has_stems)) == STEMS


async def test_words_that_a_server_forbids_are_left_out(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    await ask(live_bot, ada, song)
    await ada.fault("PATCH /webhooks/*", status=400, code=200000, times=1)
    await finish(live_bot)
    message = await ada.wait_for(has_stems)
    assert message["embeds"] == []
    assert message["content"] == "Your stems are here."
    assert filenames(message) == ["instrumental.mp3", "vocals.mp3", "waveforms.png"]


async def test_files_that_discord_calls_too_large_come_smaller(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    await ask(live_bot, ada, song)
    await ada.fault("PATCH /webhooks/*", status=413, code=40005, times=2)
    await finish(live_bot)
    assert filenames(await ada.wait_for(has_stems)) == STEMS
