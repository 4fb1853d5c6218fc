"""Many people at one card: a bounded queue, clear refusals, and nothing left behind."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.errors import AudioFailed, NoRoom
from bot.domain.job import JobId
from bot.domain.renditions import Rendition
from bot.ui.replies.result_presenter import MAX_WAITING
from sandbox.client import SandboxClient
from sandbox.faults import Fault
from storage.stores.open_replies import ReplyKind
from tests.integration.conversations.live_bot import LiveBot, open_live_bot
from tests.integration.conversations.scenes import (
    Message,
    has_stems,
    job_id_of,
    made,
    more,
    says,
    shows,
)
from tests.integration.conversations.test_privacy import forget

BUSY = "I'm too busy right now. Try again in a minute."
STILL_WORKING = "I'm still working on your last request."
CROWD = 30
NO_ROOM = "There is no room for another song right now."
ROOM_FOR_ONE_GIB = 0.45
"""Room for one rendition of a song of 200 s."""
INTERRUPTED = "I was restarted while I made this."


async def crowd_of(live_bot: LiveBot, stack: AsyncExitStack, size: int) -> list[SandboxClient]:
    """Return new members of the server."""
    world = live_bot.sandbox.world
    guild = next(iter(world.guilds.values()))
    names = [f"Guest {number}" for number in range(size)]
    members = {**guild.members, **{world.add_user(name).id: () for name in names}}
    world.add_guild(replace(guild, members=members))
    return [
        await stack.enter_async_context(SandboxClient(live_bot.sandbox.base_url, person=name))
        for name in names
    ]


async def own_answers(people: Sequence[SandboxClient]) -> list[list[Message]]:
    """Return the private messages of each person."""
    return [[each for each in await one.messages() if each["ephemeral"]] for one in people]


def is_waiting(message: Message) -> bool:
    return not (message["content"] or message["embeds"] or message["attachments"])


async def until_open(live_bot: LiveBot, count: int = 1) -> None:
    async with asyncio.timeout(30):
        while len(await live_bot.open_replies.every()) < count:
            await asyncio.sleep(0.02)


async def until_closed(live_bot: LiveBot) -> None:
    async with asyncio.timeout(60):
        while await live_bot.open_replies.every():
            await asyncio.sleep(0.02)


def scratch_of(live_bot: LiveBot, job_id: str) -> list[Path]:
    parcel = live_bot.files.of(JobId(job_id)).parcel
    return list(parcel.iterdir()) if parcel.exists() else []


async def test_a_crowd_waits_in_a_bounded_queue_and_starves_no_song(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    live_bot.audio.gate = asyncio.Event()
    async with AsyncExitStack() as stack:
        crowd = await crowd_of(live_bot, stack, CROWD)
        presses = []
        for number, one in enumerate(crowd):
            value = ("zip:mp3", "flac", "dm")[number % 3]
            presses += [more(one, message, value), more(one, message, "flac")]
        await asyncio.gather(*presses)
        assert len(await live_bot.open_replies.every()) == MAX_WAITING
        live_bot.audio.gate.set()
        assert has_stems(await made(live_bot, ada, song))
        await until_closed(live_bot)
        found = await own_answers(crowd)
        texts = [each["content"] for answers in found for each in answers if each["content"]]
        assert not any(is_waiting(each) for answers in found for each in answers)
        assert sum(text.startswith(BUSY) for text in texts) >= CROWD - MAX_WAITING
        assert sum(text.startswith(STILL_WORKING) for text in texts) >= MAX_WAITING
        assert scratch_of(live_bot, job_id_of(message)) == []


async def test_a_stop_in_the_middle_keeps_every_record_and_no_file(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    live_bot.audio.gate = asyncio.Event()
    await more(ada, message, "flac")
    await more(ben, message, "zip:mp3")
    await until_open(live_bot, 2)
    await live_bot.interface.presenter.stop(grace_s=0)
    assert len(await live_bot.open_replies.every()) == 2
    assert scratch_of(live_bot, job_id_of(message)) == []


@pytest.mark.parametrize("value", ["dm", "flac", "zip:mp3"])
async def test_what_a_restart_interrupted_can_be_asked_for_again_by_whoever_asked(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path, value: str
) -> None:
    message = await made(live_bot, ada, song)
    live_bot.audio.gate = asyncio.Event()
    await more(ben, message, value)
    await until_open(live_bot)
    await live_bot.interface.presenter.stop(grace_s=0)
    live_bot.audio.gate.set()
    await live_bot.interrupted.complete()
    told = await ben.wait_for(shows(INTERRUPTED))
    await ben.press(told, "Ask again")
    if value == "dm":
        await ben.wait_for(says("in your direct messages"))
        ben.in_channel("dm")
    await ben.wait_for(has_stems)


async def test_an_interrupted_reply_is_completed_when_discord_is_back(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    live_bot.audio.gate = asyncio.Event()
    await more(ada, message, "flac")
    await until_open(live_bot)
    await live_bot.interface.presenter.stop(grace_s=0)
    live_bot.sandbox.faults.add(Fault(route="* /webhooks/*", status=503, times=7))
    await live_bot.interrupted.complete()
    await ada.wait_for(shows(INTERRUPTED))
    assert await live_bot.open_replies.every() == []


async def test_replies_of_this_process_are_not_called_interrupted(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    await live_bot.interrupted.find()
    live_bot.audio.gate = asyncio.Event()
    await more(ada, message, "flac")
    await until_open(live_bot)
    await live_bot.interrupted.complete()
    assert len(await live_bot.open_replies.every()) == 1
    live_bot.audio.gate.set()
    await until_closed(live_bot)
    found = [each for each in await ada.messages() if each["ephemeral"]]
    assert [has_stems(each) for each in found] == [True]


async def test_a_zip_of_a_long_mix_can_be_asked_for_again(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    live_bot.audio.gate = asyncio.Event()
    await more(ada, message, "zip:mp3")
    await until_open(live_bot)
    await live_bot.interface.presenter.stop(grace_s=0)
    [left] = await live_bot.open_replies.every()
    token = "c-1150.s145.bass125.drums125.guitar125.other125.piano125.vocals125.count1.click.double"
    await live_bot.open_replies.close(left.interaction_id)
    await live_bot.open_replies.add(
        replace(left, kind=ReplyKind.ZIP, rendition=Rendition.from_token(token))
    )
    await live_bot.interrupted.complete()
    await ada.wait_for(shows(INTERRUPTED))


async def test_stems_deleted_while_they_are_rendered_are_said_to_be_gone(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    job_id = JobId(job_id_of(message))
    await live_bot.files.remove(job_id)  # as retention does, before it is recorded
    live_bot.audio.render_error = AudioFailed("a master is gone")
    for people in (ada, ben):
        form = await people.press(message, "Key & speed")
        await people.send_form(form["modal_id"], key="1", speed="100")
        await people.wait_for(says("These stems have been deleted."))
    await until_closed(live_bot)
    assert not live_bot.files.of(job_id).path.exists()


async def test_an_error_is_told_before_the_record_of_its_reply_goes(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    live_bot.audio.render_error = AudioFailed("killed")
    live_bot.sandbox.faults.add(Fault(route="PATCH /webhooks/*", delay_s=0.5))
    form = await ada.press(message, "Key & speed")
    await ada.send_form(form["modal_id"], key="1", speed="100")
    await until_open(live_bot)
    await until_closed(live_bot)
    [answer] = [each for each in await ada.messages() if each["ephemeral"]]
    assert not is_waiting(answer)


async def test_a_disk_that_fills_up_is_told_and_its_room_is_free_again(
    tmp_path: Path, song: Path
) -> None:
    async with (
        open_live_bot(tmp_path, max_disk_gib=ROOM_FOR_ONE_GIB) as live_bot,
        live_bot.on(),
        SandboxClient(live_bot.sandbox.base_url) as ada,
    ):
        job_id = job_id_of(await made(live_bot, ada, song))
        live_bot.audio.render_error = NoRoom("the disk is full")
        for number in range(1, 4):
            await ada.command("remix", job=job_id, key=1)
            await until_closed(live_bot)
            [answers] = await own_answers([ada])
            assert [each["content"].startswith(NO_ROOM) for each in answers] == [True] * number
            assert scratch_of(live_bot, job_id) == []
            await ada.advance(20)  # until the files are measured again
        live_bot.audio.render_error = None
        await ada.command("remix", job=job_id, key=1)
        await ada.wait_for(lambda found: found["ephemeral"] and has_stems(found))


async def test_a_singer_is_told_that_the_owner_deleted_everything_meanwhile(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    live_bot.audio.gate = asyncio.Event()
    await more(ben, message, "flac")
    await until_open(live_bot)
    await forget(ada)
    await ada.wait_for(lambda found: "deleted" in str(found).lower())
    live_bot.audio.gate.set()
    await ben.wait_for(says("These stems have been deleted."))
    await until_closed(live_bot)
    assert not live_bot.files.of(JobId(job_id_of(message))).path.exists()
