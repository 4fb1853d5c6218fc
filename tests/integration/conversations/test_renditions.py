"""Another key, speed or mix of a result: permissions, controls and answers."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.domain.analysis import Analysis, BeatGrid, Certainty, Key, KeyEstimate, TempoEstimate
from bot.domain.errors import Reason, Rejected
from bot.domain.recipes import AudioFormat, Recipe, Stem
from bot.providers.interface import Model
from bot.ui.replies import result_presenter
from sandbox.client import SandboxClient
from tests.integration.conversations.live_bot import LiveBot, open_live_bot
from tests.integration.conversations.scenes import (
    Message,
    filenames,
    has_stems,
    job_id_of,
    labels,
    made,
    more,
    says,
    shows,
)

GRID = BeatGrid(
    first_beat_s=0.5, period_s=0.625, beats=300, beats_per_bar=4, downbeat=0, is_steady=True
)
HEARD = Analysis(
    key=KeyEstimate(key=Key(tonic=9, is_minor=True), certainty=Certainty.LIKELY),
    tempo=TempoEstimate(bpm=96.0),
    grid=GRID,
)
SIX = Model(
    name="six",
    stems=frozenset({Stem.VOCALS, Stem.DRUMS, Stem.BASS, Stem.GUITAR, Stem.PIANO, Stem.OTHER}),
    sums_to_song=True,
)


async def opened(person: SandboxClient, message: Message, label: str) -> str:
    """Press a button that opens a form, and return the form's id."""
    answer = await person.press(message, label)
    return str(answer["modal_id"])


async def values_of(person: SandboxClient, form: str) -> dict[str, list[str]]:
    """Return the values chosen in a form, by field."""
    shown = await person.form(form)
    fields = [label["component"] for label in shown["components"]]
    return {
        field["custom_id"]: [
            option["value"] for option in field.get("options", []) if option.get("default")
        ]
        for field in fields
    }


async def mine(person: SandboxClient, count: int = 1) -> list[Message]:
    """Wait until the person has this many private messages with files."""
    async with asyncio.timeout(30):
        while True:
            found = [each for each in await person.messages() if each["ephemeral"]]
            if len(list(filter(has_stems, found))) >= count:
                return list(filter(has_stems, found))
            await asyncio.sleep(0.01)


async def nothing_is_open(live_bot: LiveBot) -> None:
    """Wait until every reply is complete, so that its user may make another request."""
    async with asyncio.timeout(20):
        while await live_bot.open_replies.every():
            await asyncio.sleep(0.01)


async def forged(live_bot: LiveBot, message: Message, old: str, new: str) -> Message:
    """Change the custom ids in a message, as a client might, and return the message."""

    def renamed(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: renamed(value) for key, value in part.items()}
        if isinstance(part, list | tuple):
            return type(part)(renamed(each) for each in part)
        return part.replace(old, new) if isinstance(part, str) else part

    found = live_bot.sandbox.world.messages[int(message["id"])]
    live_bot.sandbox.world.messages[found.id] = replace(found, components=renamed(found.components))
    return {**message, "components": renamed(message["components"])}


async def test_split_brings_the_singers_key_at_once(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    live_bot.audio.heard = HEARD
    await ada.command("split", file=song, key=-2, speed=90)
    message = await ada.wait_for(has_stems)
    assert filenames(message) == [
        "Neon Rain (Instrumental, -2, 90 %).mp3",
        "Neon Rain (Vocals, -2, 90 %).mp3",
    ]
    assert message["embeds"][0]["description"].splitlines()[:3] == [
        "Instrumental and vocals, 3:42, MP3",
        "Key −2 · Speed 90 %",
        "G minor, likely · 86 BPM",
    ]
    [rendered] = live_bot.audio.renders
    assert (rendered["cents"], rendered["speed_percent"]) == (-200, 90)
    assert live_bot.audio.tags[0]["key"] == "Gm"
    assert live_bot.audio.tags[0]["bpm"] == "86"


async def test_a_machine_that_cannot_render_delivers_the_stems_as_they_are(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    live_bot.audio.render_error = Rejected(Reason.NO_TIME_STRETCH)
    await ada.command("split", file=song, key=3)
    message = await ada.wait_for(has_stems)
    assert filenames(message) == ["Neon Rain (Instrumental).mp3", "Neon Rain (Vocals).mp3"]
    assert "I can't change key or speed" in message["embeds"][0]["description"]


async def test_every_singer_gets_their_own_key_of_a_public_result(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path
) -> None:
    live_bot.audio.heard = HEARD
    message = await made(live_bot, ada, song)
    form = await opened(ben, message, "Key & speed")
    assert await values_of(ben, form) == {"key": ["0"], "speed": ["100"]}
    await ben.send_form(form, key="-4", speed="80")
    [own] = await mine(ben)
    assert filenames(own)[0] == "Neon Rain (Instrumental, -4, 80 %).mp3"
    assert "F minor" in own["embeds"][0]["description"]
    assert labels(own) == ["Key −1", "Key +1", "Slower", "Key & speed", "Mix"]
    assert not [each for each in await ada.messages() if each["ephemeral"]]
    assert (await live_bot.services.quotas.usage(live_bot.user_id("Ben"))).used == 0


async def test_the_last_key_is_offered_first_the_next_time(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    await ben.send_form(await opened(ben, message, "Key & speed"), key="-4", speed="80")
    await mine(ben)
    again = await opened(ben, message, "Key & speed")
    assert await values_of(ben, again) == {"key": ["-4"], "speed": ["80"]}
    first = await opened(ada, message, "Key & speed")
    assert await values_of(ada, first) == {"key": ["0"], "speed": ["100"]}


async def test_the_form_for_the_key_brings_back_no_mix_that_it_does_not_show(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    await ada.command("remix", job=job_id_of(message), key=-2, mix="guide-vocals")
    await mine(ada)
    await nothing_is_open(live_bot)
    form = await opened(ada, message, "Key & speed")
    assert await values_of(ada, form) == {"key": ["-2"], "speed": ["100"]}
    await ada.send_form(form, key="-2", speed="90")
    *_, own = await mine(ada, 2)
    assert filenames(own)[0] == "Neon Rain (Instrumental, -2, 90 %).mp3"


async def test_a_mix_without_any_stem_is_refused_in_words(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    await ada.send_form(await opened(ada, message, "Mix"), instrumental="0", vocals="0")
    await ada.wait_for(says("These stems can't give that mix."))


async def test_steps_below_a_rendition_lead_on_from_it(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    await ada.send_form(await opened(ada, message, "Key & speed"), key="2", speed="100")
    [first] = await mine(ada)
    await nothing_is_open(live_bot)
    await ada.press(first, "Key +1")
    _, second = await mine(ada, 2)
    assert filenames(second)[0] == "Neon Rain (Instrumental, +3).mp3"
    await nothing_is_open(live_bot)
    await more(ada, second, "flac")
    *_, third = await mine(ada, 3)
    assert filenames(third)[0] == "Neon Rain (Instrumental, +3).flac"


async def test_a_mix_is_one_file_with_each_stem_at_its_level(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    live_bot.audio.heard = HEARD
    message = await made(live_bot, ada, song)
    form = await opened(ada, message, "Mix")
    assert await values_of(ada, form) == {
        "instrumental": ["100"],
        "vocals": ["100"],
        "click": ["none"],
    }
    await ada.send_form(form, vocals="25", click="count-in")
    [mix] = await mine(ada)
    assert filenames(mix) == ["Neon Rain (Mix, vocals 25 %, count-in).mp3"]
    [rendered] = live_bot.audio.renders
    assert [part.level_percent for part in rendered["outputs"][0].parts] == [100, 25]
    assert rendered["click"].padding_frames > 0


async def test_remix_renders_a_named_mix_of_ones_own_result(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path
) -> None:
    job_id = job_id_of(await made(live_bot, ada, song))
    [choice] = await ada.autocomplete("remix", "job", "neon")
    assert choice["value"] == job_id
    await ada.command("remix", job=job_id, key=-3, mix="quieter-voice", format="flac")
    [mix] = await mine(ada)
    assert filenames(mix) == ["Neon Rain (Mix, vocals 50 %, -3).flac"]
    await ada.command("remix", job=job_id, mix="no-drums")
    await ada.wait_for(says("These stems can't give that mix."))
    await ben.command("remix", job=job_id, key=1)
    await ben.wait_for(says("I can't find that song among yours."))


async def test_a_private_result_is_rendered_for_nobody_else(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path
) -> None:
    job_id = job_id_of(await made(live_bot, ada, song, private=True))
    public = await made(live_bot, ben, song)
    aimed = await forged(live_bot, public, job_id_of(public), job_id)
    for label in ("Key & speed", "Mix", "Delete"):
        await ben.press(aimed, label)
    for value in ("dm", "recipe"):
        await more(ben, aimed, value)
    async with asyncio.timeout(20):
        while len(refused := [each for each in await ben.messages() if each["ephemeral"]]) < 5:
            await asyncio.sleep(0.02)
    assert all("I can't find that song among yours." in each["content"] for each in refused)


@pytest.mark.parametrize("token", ["k13", "vocals999", "banjo50", "k1.k1", "c100"])
async def test_a_forged_rendition_is_refused(
    live_bot: LiveBot, ada: SandboxClient, song: Path, token: str
) -> None:
    message = await made(live_bot, ada, song)
    await ada.press(await forged(live_bot, message, ":plain", f":{token}"), "Key & speed")
    await ada.wait_for(says("out of range"))


async def test_levels_can_be_typed_for_six_stems(tmp_path: Path, song: Path) -> None:
    async with (
        open_live_bot(tmp_path, models=(SIX,)) as live_bot,
        live_bot.on(),
        SandboxClient(live_bot.sandbox.base_url) as ada,
    ):
        message = await made(live_bot, ada, song, stems=Recipe.SIX_STEMS)
        form = await opened(ada, message, "Mix")
        await ada.send_form(form, levels="Vocals 0, drums: 150 %, piano 100")
        [mix] = await mine(ada)
        assert filenames(mix) == ["Neon Rain (Mix, drums 150 %, no vocals).mp3"]
        await nothing_is_open(live_bot)
        await ada.send_form(await opened(ada, message, "Mix"), levels="banjo 50")
        await ada.wait_for(says("out of range"))


@pytest.fixture
async def frugal(tmp_path: Path) -> AsyncIterator[LiveBot]:
    async with open_live_bot(tmp_path, render_minutes=7) as live_bot, live_bot.on():
        yield live_bot


async def test_renditions_are_free_but_bounded(frugal: LiveBot, song: Path) -> None:
    async with SandboxClient(frugal.sandbox.base_url) as ada:
        message = await made(frugal, ada, song)
        await ada.send_form(await opened(ada, message, "Key & speed"), key="1", speed="100")
        await mine(ada)
        await ada.send_form(await opened(ada, message, "Key & speed"), key="2", speed="100")
        await ada.wait_for(says("I render at most 7 minutes of music an hour"))
        await ada.advance(3601)
        await ada.send_form(await opened(ada, message, "Key & speed"), key="2", speed="100")
        await mine(ada, 2)


async def test_a_rendition_by_dm_counts_for_the_songs_own_user_too(
    frugal: LiveBot, song: Path
) -> None:
    async with SandboxClient(frugal.sandbox.base_url) as ada:
        message = await made(frugal, ada, song)
        await more(ada, message, "dm")
        await ada.wait_for(says("The stems are in your direct messages."))
        await nothing_is_open(frugal)
        await ada.command("remix", job=job_id_of(message), key=1)
        [own] = await mine(ada)
        await nothing_is_open(frugal)
        await more(ada, own, "dm")
        await ada.wait_for(says("I render at most 7 minutes of music an hour"))


async def test_a_song_longer_than_the_hours_limit_is_refused_in_words(
    tmp_path: Path, song: Path
) -> None:
    async with (
        open_live_bot(tmp_path, render_minutes=3) as live_bot,
        live_bot.on(),
        SandboxClient(live_bot.sandbox.base_url) as ada,
    ):
        message = await made(live_bot, ada, song)
        await ada.command("remix", job=job_id_of(message), key=1)
        await ada.wait_for(
            says("3 minutes of music an hour for each person, and this song is longer")
        )


async def test_without_renditions_unchanged_stems_come_in_every_form(
    tmp_path: Path, song: Path
) -> None:
    async with (
        open_live_bot(tmp_path, render_minutes=0) as live_bot,
        live_bot.on(),
        SandboxClient(live_bot.sandbox.base_url) as ada,
        SandboxClient(live_bot.sandbox.base_url, person="Ben") as ben,
    ):
        message = await made(live_bot, ada, song)
        await more(ada, message, "flac")
        await mine(ada)
        await nothing_is_open(live_bot)
        await more(ada, message, "zip:mp3")
        await mine(ada, 2)
        await more(ben, message, "dm")
        await ben.wait_for(says("The stems are in your direct messages."))
        await nothing_is_open(live_bot)
        await ada.send_form(await opened(ada, message, "Key & speed"), key="1", speed="100")
        await ada.wait_for(says("This bot does not render songs in another key, speed or mix."))


async def test_a_failed_rendition_is_not_counted(frugal: LiveBot, song: Path) -> None:
    async with SandboxClient(frugal.sandbox.base_url) as ada:
        message = await made(frugal, ada, song)
        frugal.audio.render_error = Rejected(Reason.NO_TIME_STRETCH)
        for _ in range(3):
            await ada.command("remix", job=job_id_of(message), key=1)
            await ada.wait_for(says("a library is missing"))
            await nothing_is_open(frugal)
        frugal.audio.render_error = None
        await ada.command("remix", job=job_id_of(message), key=1)
        await mine(ada)


async def test_a_form_that_was_opened_before_a_restart_works_after_it(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    form = await opened(ada, message, "Key & speed")
    live_bot.client._connection._view_store._modals.clear()  # as a restart does
    await ada.send_form(form, key="-1", speed="100")
    [own] = await mine(ada)
    assert filenames(own)[0] == "Neon Rain (Instrumental, -1).mp3"


async def test_a_reply_that_a_restart_interrupted_says_so_and_can_be_asked_for_again(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    live_bot.audio.gate = asyncio.Event()
    await ada.command("remix", job=job_id_of(message), key=-2, format=AudioFormat.FLAC)
    async with asyncio.timeout(20):
        while not await live_bot.open_replies.every():
            await asyncio.sleep(0.01)
    await live_bot.interface.presenter.stop(grace_s=0)
    [left] = await live_bot.open_replies.every()
    assert left.rendition.token == "k-2"
    live_bot.audio.gate.set()
    await live_bot.interrupted.complete()
    assert await live_bot.open_replies.every() == []
    told = await ada.wait_for(shows("I was restarted while I made this."))
    await ada.press(told, "Ask again")
    [own] = await mine(ada)
    assert filenames(own)[0] == "Neon Rain (Instrumental, -2).flac"


async def test_a_reply_that_was_complete_before_a_restart_stays_as_it_is(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    live_bot.audio.gate = asyncio.Event()
    await ada.command("remix", job=job_id_of(message), key=-2)
    async with asyncio.timeout(20):
        while not (found := await live_bot.open_replies.every()):
            await asyncio.sleep(0.01)
    live_bot.audio.gate.set()
    [own] = await mine(ada)
    await live_bot.open_replies.add(found[0])  # as if the process had died before closing it
    await live_bot.interrupted.complete()
    assert await live_bot.open_replies.every() == []
    [still] = await mine(ada)
    assert filenames(still) == filenames(own)


async def test_a_reply_says_what_happened_once_discord_is_reachable_again(
    live_bot: LiveBot, ada: SandboxClient, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_presenter, "RETRY_AFTER_S", 0.01)
    monkeypatch.setattr(result_presenter, "SAY_AGAIN_AFTER_S", 0.05)
    message = await made(live_bot, ada, song)
    live_bot.audio.gate = asyncio.Event()
    await ada.command("remix", job=job_id_of(message), key=-2)
    async with asyncio.timeout(20):
        while not await live_bot.open_replies.every():
            await asyncio.sleep(0.01)
    await ada.fault("* /webhooks/*", reset=True)
    live_bot.audio.gate.set()
    await asyncio.sleep(1.0)
    await ada.clear_faults()
    await ada.wait_for(says("Try again in a minute."))
    await nothing_is_open(live_bot)
    await ada.command("remix", job=job_id_of(message), key=-2)
    assert await mine(ada)


async def test_a_rendition_comes_though_the_answer_to_its_request_was_lost(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    await ada.fault("POST /interactions/*", reset=True, after=True, times=1)
    await ada.command("remix", job=job_id_of(message), key=-2)
    [own] = await mine(ada)
    assert filenames(own)[0] == "Neon Rain (Instrumental, -2).mp3"
    await nothing_is_open(live_bot)
    live_bot.audio.render_error = Rejected(Reason.NO_TIME_STRETCH)
    await ada.fault("POST /interactions/*", reset=True, after=True, times=1)
    await ada.command("remix", job=job_id_of(message), key=-3)
    await ada.wait_for(says("a library is missing"))


async def test_files_are_described_for_people_who_do_not_see_them(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    live_bot.audio.heard = HEARD
    message = await made(live_bot, ada, song)
    described = [each.get("description") for each in message["attachments"]]
    assert described[:2] == ["Instrumental, A minor, 96 BPM", "Vocals, A minor, 96 BPM"]
    await ada.command("remix", job=job_id_of(message), key=-2)
    [own] = await mine(ada)
    assert own["attachments"][0]["description"] == "Instrumental, G minor, 96 BPM"
