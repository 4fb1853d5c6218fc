"""All stems in one file, from the menu below a result."""

import asyncio
import zipfile
from pathlib import Path

from bot.domain.analysis import Analysis, Certainty, Key, KeyEstimate, TempoEstimate
from bot.domain.recipes import AudioFormat
from sandbox.client import SandboxClient
from tests.integration.conversations.live_bot import LiveBot, open_live_bot
from tests.integration.conversations.open_bot import Open
from tests.integration.conversations.scenes import (
    Message,
    filenames,
    has_stems,
    job_id_of,
    made,
    menu_of,
    says,
    shows,
)
from tests.integration.conversations.test_links import links_in

MIB = 1024 * 1024
ZIP = "Zip: all files in one"
HEARD = Analysis(
    key=KeyEstimate(key=Key(tonic=9, is_minor=True), certainty=Certainty.LIKELY),
    tempo=TempoEstimate(bpm=96.2),
    tuning_cents=-12,
)


async def ask_for_zip(people: SandboxClient, message: Message) -> None:
    menu = menu_of(message)
    [value] = [each["value"] for each in menu["options"] if each["label"] == ZIP]
    await people.press(message, menu["custom_id"], values=[value])


def has_zip(message: Message) -> bool:
    return any(name.endswith(".zip") for name in filenames(message))


async def until_closed(live_bot: LiveBot) -> None:
    """Wait until no open reply is on record."""
    async with asyncio.timeout(30):
        while await live_bot.open_replies.every():
            await asyncio.sleep(0.01)


async def contents(
    people: SandboxClient, message: Message, folder: Path
) -> tuple[list[str], list[str]]:
    """Return the names in the attached archive, and the lines of its text."""
    [attachment] = message["attachments"]
    await people.download(attachment, folder / "got.zip")
    with zipfile.ZipFile(folder / "got.zip") as archive:
        return archive.namelist(), archive.read("info.txt").decode().splitlines()


async def test_anyone_who_sees_the_card_gets_all_stems_in_one_file_alone(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path, tmp_path: Path
) -> None:
    live_bot.audio.heard = HEARD
    message = await made(live_bot, ada, song)
    await ask_for_zip(ben, message)
    got = await ben.wait_for(has_zip)
    assert got["ephemeral"]
    assert filenames(got) == ["Neon Rain (Stems).zip"]
    names, info = await contents(ben, got, tmp_path)
    assert names == ["info.txt", "Neon Rain (Instrumental).mp3", "Neon Rain (Vocals).mp3"]
    assert info == [
        "Neon Rain",
        "Karaoke",
        "Key: A minor, likely",
        "Tempo: 96 BPM",
        "Tuning: -12 cents from A = 440 Hz",
    ]
    assert not any(has_zip(each) for each in await ada.messages())
    async with asyncio.timeout(30):
        while await live_bot.open_replies.every():
            await asyncio.sleep(0.01)


async def test_a_private_song_is_zipped_for_its_user_alone(
    live_bot: LiveBot, ada: SandboxClient, ben: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song, private=True)
    await ask_for_zip(ada, message)
    assert (await ada.wait_for(has_zip))["ephemeral"]
    assert await ben.messages() == []


async def test_what_is_zipped_is_what_is_shown(
    live_bot: LiveBot, ada: SandboxClient, song: Path, tmp_path: Path
) -> None:
    live_bot.audio.heard = HEARD
    message = await made(live_bot, ada, song)
    job_id = job_id_of(message)
    await ada.command("remix", job=job_id, key=-2, format="flac")
    shown = await ada.wait_for(lambda found: found["ephemeral"] and has_stems(found))
    await until_closed(live_bot)
    await ask_for_zip(ada, shown)
    got = await ada.wait_for(has_zip)
    names, info = await contents(ada, got, tmp_path)
    assert names[1:] == ["Neon Rain (Instrumental, -2).flac", "Neon Rain (Vocals, -2).flac"]
    assert "Key: G minor, likely" in info


async def test_a_zip_counts_against_the_presser_s_minutes(tmp_path: Path, song: Path) -> None:
    async with (
        open_live_bot(tmp_path, render_minutes=4) as live_bot,
        live_bot.on(),
        SandboxClient(live_bot.sandbox.base_url) as ada,
    ):
        message = await made(live_bot, ada, song)
        await ask_for_zip(ada, message)
        await ada.wait_for(has_zip)
        await until_closed(live_bot)
        await ask_for_zip(ada, message)
        await ada.wait_for(says("I render at most 4 minutes of music an hour"))


async def test_a_zip_that_is_too_large_is_refused_in_words(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    live_bot.audio.bytes_at = {AudioFormat.MP3: 6 * MIB}
    await ask_for_zip(ada, message)
    await ada.wait_for(says("All files in one would be too large for Discord here."))


async def test_a_process_that_dies_while_it_zips_leaves_a_button_that_asks_again(
    live_bot: LiveBot, ada: SandboxClient, song: Path
) -> None:
    message = await made(live_bot, ada, song)
    live_bot.audio.gate = asyncio.Event()
    await ask_for_zip(ada, message)
    async with asyncio.timeout(30):
        while not (waiting := await live_bot.open_replies.every()):
            await asyncio.sleep(0.01)
    assert [each.kind for each in waiting] == ["zip"]
    await live_bot.interface.presenter.stop(grace_s=0)
    assert await live_bot.open_replies.every() == waiting
    await live_bot.interrupted.complete()
    told = await ada.wait_for(shows("I was restarted while I made this."))
    live_bot.audio.gate.set()
    await ada.press(told, f"zip:{job_id_of(message)}:plain:mp3")
    await ada.wait_for(lambda found: has_zip(found) and found["id"] != told["id"])


async def test_a_zip_that_is_too_large_is_linked_where_links_are(
    opened: Open, song: Path, tmp_path: Path
) -> None:
    live_bot = opened.live_bot
    async with SandboxClient(live_bot.sandbox.base_url) as ada:
        message = await made(live_bot, ada, song)
        live_bot.audio.bytes_at = {AudioFormat.MP3: 6 * MIB}
        await ask_for_zip(ada, message)
        got = await ada.wait_for(shows("expires"))
        assert got["ephemeral"]
        [url] = links_in(got)
        status, body, headers = await opened.fetch(url)
        assert status == 200
        assert 'filename="Neon Rain (Stems).zip"' in headers["Content-Disposition"]
        (tmp_path / "got.zip").write_bytes(body)
        with zipfile.ZipFile(tmp_path / "got.zip") as archive:
            assert archive.testzip() is None
            assert len(archive.namelist()) == 3
        await ada.press(message, "Delete")
        async with asyncio.timeout(30):
            while (await opened.fetch(url))[0] != 410:
                await asyncio.sleep(0.01)
