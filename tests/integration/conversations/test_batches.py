"""Batches in conversations: the form, the card, its menu and the end."""

import asyncio
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.domain.errors import ProviderRefused
from bot.domain.job import State
from bot.domain.recipes import AudioFormat
from sandbox.client import SandboxClient, SandboxRefused
from tests.integration.conversations.live_bot import LiveBot, open_live_bot
from tests.integration.conversations.open_bot import Open
from tests.integration.conversations.scenes import (
    Message,
    filenames,
    has_stems,
    job_id_of,
    labels,
    menu_of,
    says,
    settle_outside,
    shows,
    until_nothing_is_owed,
)
from tests.integration.conversations.test_links import MIB, links_in
from tests.integration.conversations.test_privacy import forget
from tests.integration.conversations.test_zips import has_zip

NAMES = ("Neon Rain", "Paper Moon", "Low Tide", "Glass Hill", "First Snow")


@pytest.fixture
def songs(tmp_path: Path) -> list[Path]:
    found = []
    for number, name in enumerate(NAMES):
        path = tmp_path / f"{name}.mp3"
        path.write_bytes(b"\xff\xfb" * (500 + number))
        found.append(path)
    return found


async def batch(people: SandboxClient, songs: Sequence[Path], *, stems: str = "karaoke") -> Message:
    """Submit the form, and return Discord's answer."""
    opened = await people.command("batch")
    return await people.send_form(opened["modal_id"], files=list(songs), stems=stems)


def lines_of(message: Message) -> list[str]:
    if not message["embeds"]:
        return []
    return [each for each in message["embeds"][0]["description"].splitlines() if each]


async def until_over(live_bot: LiveBot) -> None:
    async with asyncio.timeout(30):
        while await live_bot.batches.open() or await live_bot.batches.owed():
            await asyncio.sleep(0.01)
    await until_nothing_is_owed(live_bot)


async def card_of(people: SandboxClient) -> Message:
    [card] = [each for each in await people.messages() if shows(" songs · ")(each)]
    return card


async def test_the_form_offers_what_can_be_made(live_bot: LiveBot, ada: SandboxClient) -> None:
    opened = await ada.command("batch")
    form = await ada.form(opened["modal_id"])
    files, stems = (each["component"] for each in form["components"])
    assert (files["max_values"], stems["custom_id"]) == (10, "stems")
    offered = [each["value"] for each in stems["options"]]
    assert offered == [offer.recipe for offer in live_bot.services.splits.offers()][:25]
    assert [each["value"] for each in stems["options"] if each.get("default")] == ["karaoke"]


async def test_one_card_shows_all_songs_each_charged_by_itself(
    live_bot: LiveBot, ada: SandboxClient, songs: list[Path]
) -> None:
    await batch(ada, songs)
    await until_over(live_bot)
    card = await card_of(ada)
    assert card["embeds"][0]["title"] == "5 songs · Karaoke"
    assert lines_of(card) == [
        *(f"{number}. **{name}** · done, 3:20" for number, name in enumerate(NAMES, 1)),
        "20 min charged",
    ]
    assert labels(card) == []
    assert len(await ada.messages()) == 1
    jobs = await live_bot.records()
    assert {job.state for job in jobs} == {State.DELIVERED}
    assert all(job.interaction_id < 0 and job.batch_id is not None for job in jobs)
    assert all(job.reply.token is None and job.reply.message_id is None for job in jobs)
    assert (await live_bot.services.quotas.usage(live_bot.user_id("Ada"))).used == 20


async def test_no_more_songs_are_under_way_than_the_limit_allows(
    live_bot: LiveBot, ada: SandboxClient, songs: list[Path]
) -> None:
    live_bot.provider.gate = asyncio.Event()
    await batch(ada, songs)
    card = await ada.wait_for(
        lambda found: sum("waits for its turn" in each for each in lines_of(found)) == 2
    )
    assert labels(card) == ["Cancel"]
    async with asyncio.timeout(30):
        while len(live_bot.provider.submits) < 3:
            await asyncio.sleep(0.01)
    assert len(await live_bot.jobs.unfinished()) == 3
    live_bot.provider.gate.set()
    await until_over(live_bot)
    assert len(live_bot.provider.submits) == 5


async def test_a_song_that_fails_does_not_touch_the_others(
    live_bot: LiveBot, ada: SandboxClient, songs: list[Path]
) -> None:
    songs[0].write_bytes(b"")
    live_bot.provider.on_submit.append(ProviderRefused("not this one"))
    await batch(ada, songs[:3])
    await until_over(live_bot)
    empty, *others, charged = lines_of(await card_of(ada))
    assert "This file is empty." in empty
    assert sorted("done" in each for each in others) == [False, True]
    assert charged == "4 min charged"
    assert len(await live_bot.records()) == 2


async def test_a_second_batch_is_refused_while_one_is_open(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, songs: list[Path]
) -> None:
    live_bot.provider.gate = asyncio.Event()
    await batch(ada, songs[:2])
    await batch(ada, songs[2:])
    await ada.wait_for(says("You already have a batch in progress."))
    await batch(ben, songs[2:])
    live_bot.provider.gate.set()
    await until_over(live_bot)
    assert len(await live_bot.records()) == 5


async def test_cancel_ends_what_is_unfinished_and_charges_nothing_for_it(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, songs: list[Path]
) -> None:
    live_bot.provider.gate = asyncio.Event()
    await batch(ada, songs)
    card = await ada.wait_for(lambda found: labels(found) == ["Cancel"])
    await ben.press(card, "Cancel")
    await ben.wait_for(says("I can't find that song among yours."))
    await ada.press(card, "Cancel")
    await ada.wait_for(says("The unfinished songs are cancelled"))
    await until_over(live_bot)
    live_bot.provider.gate.set()
    found = await card_of(ada)
    assert sum("You cancelled this song." in each for each in lines_of(found)) == 5
    assert labels(found) == []
    usage = await live_bot.services.quotas.usage(live_bot.user_id("Ada"))
    assert (usage.used, usage.held) == (0, 0)


async def choose(people: SandboxClient, card: Message, value: str) -> None:
    await people.press(card, menu_of(card)["custom_id"], values=[value])


async def test_the_menu_brings_one_songs_stems(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, songs: list[Path]
) -> None:
    await batch(ada, songs[:2])
    await until_over(live_bot)
    card = await card_of(ada)
    assert [each["value"] for each in menu_of(card)["options"]] == ["1", "2", "all"]
    await choose(ada, card, "2")
    shown = await ada.wait_for(has_stems)
    assert filenames(shown)[0] == "Paper Moon (Instrumental).mp3"
    assert not shown["ephemeral"]
    await choose(ben, card, "1")
    own = await ben.wait_for(lambda found: found["ephemeral"] and has_stems(found))
    assert filenames(own)[0] == "Neon Rain (Instrumental).mp3"


async def test_the_menu_brings_all_songs_in_one_file(
    live_bot: LiveBot, ada: SandboxClient, songs: list[Path], tmp_path: Path
) -> None:
    await batch(ada, songs[:2])
    await until_over(live_bot)
    await choose(ada, await card_of(ada), "all")
    got = await ada.wait_for(has_zip)
    [attachment] = got["attachments"]
    await ada.download(attachment, tmp_path / "got.zip")
    with zipfile.ZipFile(tmp_path / "got.zip") as archive:
        assert archive.namelist() == [
            "info.txt",
            "01 Neon Rain/Neon Rain (Instrumental).mp3",
            "01 Neon Rain/Neon Rain (Vocals).mp3",
            "02 Paper Moon/Paper Moon (Instrumental).mp3",
            "02 Paper Moon/Paper Moon (Vocals).mp3",
        ]


async def test_the_songs_are_in_jobs_too(
    live_bot: LiveBot, ada: SandboxClient, songs: list[Path]
) -> None:
    await batch(ada, songs[:2])
    await until_over(live_bot)
    await ada.command("jobs")
    listed = await ada.wait_for(shows("Your songs"))
    assert len(lines_of(listed)) == 2
    job_id = menu_of(listed)["options"][0]["value"]
    await ada.command("result", job=job_id)
    assert job_id_of(await ada.wait_for(has_stems)) == job_id


async def test_a_message_with_several_songs_becomes_a_batch(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, songs: list[Path]
) -> None:
    await ben.say("the set list", *songs[:3])
    source = (await ada.messages())[-1]["id"]
    await ada.menu("Split this audio", source)
    asked = await ada.wait_for(says("Which of these songs should I split?"))
    assert menu_of(asked)["options"][-1]["label"] == "All of them"
    await choose(ada, asked, "all")
    await until_over(live_bot)
    assert len(lines_of(await card_of(ada))) == 4


async def test_a_dm_with_several_songs_asks_once_for_all(
    live_bot: LiveBot, ada: SandboxClient, songs: list[Path]
) -> None:
    ada.in_channel("dm")
    await ada.say("these", *songs[:2])
    asked = await ada.wait_for(says("Which of these songs should I split?"))
    await choose(ada, asked, "all")
    question = await ada.wait_for(shows("What should I make from each?"))
    await ada.press(question, "Vocals")
    await until_over(live_bot)
    assert [job.request.recipe for job in await live_bot.records()] == ["vocals"] * 2


async def test_privacy_ends_and_deletes_a_batch(
    live_bot: LiveBot, ada: SandboxClient, songs: list[Path]
) -> None:
    live_bot.provider.gate = asyncio.Event()
    await batch(ada, songs)
    await ada.wait_for(lambda found: labels(found) == ["Cancel"])
    await forget(ada)
    await ada.wait_for(shows("All your data is deleted"))
    live_bot.provider.gate.set()
    rows = await live_bot.db.read("SELECT id FROM batches UNION ALL SELECT url FROM batch_songs")
    assert rows == []
    held = await live_bot.db.read("SELECT id FROM jobs WHERE batch_id IS NOT NULL")
    assert held == []
    usage = await live_bot.services.quotas.usage(live_bot.user_id("Ada"))
    assert (usage.used, usage.held) == (0, 0)


async def test_a_card_is_edited_after_its_token_has_expired(
    live_bot: LiveBot, ada: SandboxClient, songs: list[Path]
) -> None:
    live_bot.provider.gate = asyncio.Event()
    await batch(ada, songs[:2])
    await ada.wait_for(lambda found: labels(found) == ["Cancel"])
    await ada.advance(16 * 60)
    live_bot.provider.gate.set()
    await until_over(live_bot)
    assert sum("done" in each for each in lines_of(await card_of(ada))) == 2


async def test_a_list_that_is_out_of_reach_comes_by_dm(
    live_bot: LiveBot, ada: SandboxClient, songs: list[Path]
) -> None:
    live_bot.provider.gate = asyncio.Event()
    ada.in_channel(settle_outside(live_bot, "duet"))
    await batch(ada, songs[:2])
    await ada.wait_for(lambda found: labels(found) == ["Cancel"])
    await ada.advance(16 * 60)
    live_bot.provider.gate.set()
    await until_over(live_bot)
    ada.in_channel("dm")
    card = await ada.wait_for(shows("2 songs · Karaoke"))
    assert sum("done" in each for each in lines_of(card)) == 2
    await choose(ada, card, "1")
    await ada.wait_for(has_stems)


async def test_a_refused_answer_leaves_no_work(
    live_bot: LiveBot, ada: SandboxClient, songs: list[Path]
) -> None:
    opened = await ada.command("batch")
    await ada.fault("POST /interactions/*", status=404, code=10062)
    live_bot.sandbox.interactions.answer_within_s = 1.0
    with pytest.raises(SandboxRefused):
        await ada.send_form(opened["modal_id"], files=songs[:2], stems="karaoke")
    async with asyncio.timeout(30):
        while await live_bot.batches.open():
            await asyncio.sleep(0.01)
    assert await live_bot.records() == []


async def test_one_minute_too_many_ends_that_song_alone(tmp_path: Path, songs: list[Path]) -> None:
    async with (
        open_live_bot(tmp_path, quota_minutes=10) as live_bot,
        live_bot.on(),
        SandboxClient(live_bot.sandbox.base_url) as ada,
    ):
        await batch(ada, songs[:3])
        await until_over(live_bot)
        lines = lines_of(await card_of(ada))
        assert sum("done" in each for each in lines) == 2
        assert sum("This song needs 4 min." in each for each in lines) == 1


async def test_songs_that_are_too_large_together_come_by_a_link_that_ends_with_any_of_them(
    opened: Open, songs: list[Path], tmp_path: Path
) -> None:
    live_bot = opened.live_bot
    async with SandboxClient(live_bot.sandbox.base_url) as ada:
        await batch(ada, songs[:2])
        await until_over(live_bot)
        card = await card_of(ada)
        live_bot.audio.bytes_at = {AudioFormat.MP3: 6 * MIB}
        await choose(ada, card, "all")
        [url] = links_in(await ada.wait_for(shows("expires")))
        status, body, headers = await opened.fetch(url)
        assert status == 200
        assert 'filename="Songs (Stems).zip"' in headers["Content-Disposition"]
        (tmp_path / "got.zip").write_bytes(body)
        with zipfile.ZipFile(tmp_path / "got.zip") as archive:
            assert len(archive.namelist()) == 5
        jobs = sorted(await live_bot.records(), key=lambda job: (job.updated_at, job.id))
        await live_bot.services.redelivery.discard(jobs[-1])
        assert (await opened.fetch(url))[0] == 410


async def test_too_much_for_one_file_is_said_in_words(
    live_bot: LiveBot, ada: SandboxClient, songs: list[Path]
) -> None:
    await batch(ada, songs[:2])
    await until_over(live_bot)
    live_bot.audio.bytes_at = {AudioFormat.MP3: 6 * MIB}
    await choose(ada, await card_of(ada), "all")
    await ada.wait_for(says("All files in one would be too large for Discord here."))
