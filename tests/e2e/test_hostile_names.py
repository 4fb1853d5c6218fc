"""File names crafted to break cards and paths."""

import re
import unicodedata
from pathlib import Path

import pytest

from sandbox.errors import Json
from tests.e2e import reading
from tests.e2e.bot_harness import BotHarness
from tests.e2e.songs import write_mp3

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="package")]

RIGHT_TO_LEFT, ISOLATE, ZERO_WIDTH_SPACE = "\u202e", "\u2066", "\u200b"
UNESCAPED = re.compile(r"(?<!\\)[*_~`|<>\[\]()#]")
HOSTILE = {
    "mentions": "@everyone <@1> <@&2> @here.wav",
    "markdown": "**Neon** `Rain` [free](evil.example) ||spoiler||.wav",
    "direction": f"Neon{RIGHT_TO_LEFT}3pm.{ISOLATE}exe.wav",
    "endless": "N" * 300 + ".wav",
    "lines": "Neon\n# Rain\r\n> quote\x00\x1b[31m.wav",
    "path": "..\\..\\windows\\CON/../../etc/passwd.wav",
    "nothing": " . .wav",
}
TITLE = (
    f"@everyone <@1> {RIGHT_TO_LEFT}**Ne\non** https://evil.example/../../etc/passwd"
    ' C:\\CON [a](b) "q" a|b? *' + "N" * 300
)
"""Unlike a file name, a tag may contain anything."""


def upload_as(harness: BotHarness, content: Path, name: str) -> Json:
    """Upload a file under a name that no file system accepts, and return it as an option value."""
    world, media = harness.sandbox.world, harness.sandbox.media
    copy = media.new_path()
    copy.write_bytes(content.read_bytes())
    upload = media.store(
        copy,
        attachment_id=world.snowflakes.next(),
        channel_id=world.application_id,
        name=name,
        is_ephemeral=True,
    )
    world.uploads[upload.id] = upload
    return {"upload": str(upload.id)}


def is_plain(text: str) -> bool:
    """Return whether a text has no control, direction or other invisible characters."""
    unseen = {char for char in text if unicodedata.category(char)[0] == "C"}
    return unseen <= {"\n", ZERO_WIDTH_SPACE}


def assert_harmless(title: str) -> None:
    assert 0 < len(title) <= 256
    assert is_plain(title)
    assert UNESCAPED.search(title) is None
    assert not {"@everyone", "@here"} & set(title.split())
    assert "://" not in title


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
async def test_card_shows_a_name_as_words_and_nothing_more(
    harness: BotHarness, tmp_path: Path, name: str
) -> None:
    guest = await harness.guest()
    no_song = tmp_path / "note.txt"
    no_song.write_text("not a song")
    file = upload_as(harness, no_song, name)
    reply = await guest.sees(await guest.command("split", file=file))
    assert_harmless(reply["embeds"][0]["title"])
    assert is_plain(reading.text(reply))
    assert reply["content"] == ""


@pytest.mark.model
async def test_files_of_a_song_with_a_hostile_title_have_safe_names(
    harness: BotHarness, song: Path, tmp_path: Path
) -> None:
    guest = await harness.guest()
    file = write_mp3(tmp_path / "song.mp3", song, title=TITLE)
    _, reply = await guest.result(file, stems="vocals")
    title = reply["embeds"][0]["title"]
    assert "evil.example" in title
    assert_harmless(title)
    [stem] = reading.names(reply)
    assert stem.startswith("@everyone")
    assert stem.endswith(" (Vocals).mp3")
    assert len(stem.removesuffix(" (Vocals).mp3")) <= 80
    assert is_plain(stem)
    assert not set(stem) & set('<>:"/\\|?*\n')
