"""Finding the songs among a message's files."""

from typing import Any

import discord
import pytest

from bot.ui.attachments.song_attachments import songs_in

SUFFIXES = """
mp3 wav wave flac ogg oga opus m4a m4b mka mp2 caf amr 3gp m4v weba ac3 aifc aiff aif wma
avi flv ts au mp4 mov mkv webm w64 wv tta ape
"""


def file(name: str, content_type: str | None = None) -> dict[str, Any]:
    """Return an attachment as Discord describes it."""
    url = f"https://cdn.invalid/attachments/5/{abs(hash(name))}/{name}"
    return {
        "id": "9",
        "filename": name,
        "size": 1000,
        "url": url,
        "proxy_url": url,
        "content_type": content_type,
    }


def a_message(*files: dict[str, Any], forwarded: tuple[dict[str, Any], ...] = ()) -> Any:
    """Return a message with these files, as discord.py parses it."""
    payload: dict[str, Any] = {
        "id": "70",
        "type": 0,
        "content": "",
        "author": {"id": "1", "username": "ada", "discriminator": "0", "avatar": None},
        "attachments": list(files),
        "embeds": [],
        "mentions": [],
        "mention_roles": [],
        "mention_everyone": False,
        "edited_timestamp": None,
        "pinned": False,
        "tts": False,
    }
    if forwarded:
        snapshot = {
            "type": 0,
            "content": "",
            "embeds": [],
            "attachments": list(forwarded),
            "timestamp": "2026-11-20T12:00:00+00:00",
            "edited_timestamp": None,
        }
        payload["message_snapshots"] = [{"message": snapshot}]
    client = discord.Client(intents=discord.Intents.none())
    channel: Any = discord.Object(5)
    channel.guild = None
    data: Any = payload
    return discord.Message(state=client._connection, channel=channel, data=data)


@pytest.mark.parametrize("suffix", SUFFIXES.split())
def test_a_song_is_told_by_its_name_alone(suffix: str) -> None:
    message = a_message(file(f"Neon Rain.{suffix.upper()}"))
    assert [song.filename for song in songs_in(message)] == [f"Neon Rain.{suffix.upper()}"]


@pytest.mark.parametrize("media_type", ["audio/x-unheard-of", "video/quicktime"])
def test_a_song_is_told_by_its_type_alone(media_type: str) -> None:
    assert songs_in(a_message(file("voice", media_type)))


def test_pictures_and_texts_are_no_songs() -> None:
    assert songs_in(a_message(file("cover.png", "image/png"), file("Vol.2", "text/plain"))) == []


def test_a_forwarded_song_belongs_to_the_message_that_forwards_it() -> None:
    message = a_message(file("own.mp3"), forwarded=(file("cover.png"), file("theirs.flac")))
    songs = songs_in(message)
    assert [song.filename for song in songs] == ["own.mp3", "theirs.flac"]
    assert [song.message_id for song in songs] == [70, 70]
