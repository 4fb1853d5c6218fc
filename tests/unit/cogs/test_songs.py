"""Direct messages, played with dpytest. The conversation tests in test_songs.py press buttons."""

from collections.abc import AsyncIterator
from pathlib import Path

import discord
import pytest
from discord.ext import commands
from discord.ext import test as dpytest

from bot.domain.errors import StoreUnavailable
from bot.domain.job import Job, UserId
from bot.domain.recipes import Recipe
from bot.i18n.languages import Languages
from bot.scheduling.plans import Offer
from cogs.songs import SongsCog
from tests.support.discord_fakes import FakeSplits, services_of


class SongSplits(FakeSplits):
    """Offers two recipes."""

    is_away = False

    def offers(self) -> tuple[Offer, ...]:
        return tuple(
            Offer(recipe, ("local",), is_basic=True) for recipe in (Recipe.KARAOKE, Recipe.VOCALS)
        )

    async def jobs_of(self, user_id: UserId, *, limit: int = 10) -> list[Job]:
        if self.is_away:
            raise StoreUnavailable("locked")
        return []


@pytest.fixture
def offering() -> SongSplits:
    return SongSplits()


@pytest.fixture
async def dm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offering: SongSplits
) -> AsyncIterator[discord.DMChannel]:
    monkeypatch.chdir(tmp_path)  # dpytest writes files where it runs
    intents = discord.Intents(guilds=True, dm_messages=True, members=True)
    bot = commands.Bot(command_prefix=(), intents=intents)
    await bot._async_setup_hook()
    await bot.add_cog(SongsCog(services_of(splits=offering, languages=Languages({}))))
    dpytest.configure(bot)
    member = dpytest.get_config().members[0]
    yield await member.create_dm()
    await dpytest.empty_queue()


async def send(channel: discord.DMChannel, content: str, *files: Path) -> discord.Message:
    """Send a message as the user, and return the bot's answers."""
    person = dpytest.get_config().members[0]
    await dpytest.message(content, channel=channel, member=person, attachments=list(files))
    return dpytest.get_message()


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "Neon Rain.mp3"
    path.write_bytes(b"\xff\xfb" * 500)
    return path


async def test_a_song_is_answered_with_what_can_be_made_of_it(
    dm: discord.DMChannel, song: Path
) -> None:
    answer = await send(dm, "", song)
    [embed] = answer.embeds
    assert embed.title == "Neon Rain"
    assert embed.description == "What should I make from it?"


async def test_several_songs_are_asked_about_first(dm: discord.DMChannel, song: Path) -> None:
    other = song.with_name("Blue Moon.flac")
    other.write_bytes(b"fLaC")
    answer = await send(dm, "", song, other)
    assert answer.content == "Which of these songs should I split?"


async def test_anything_else_is_answered_with_how_it_goes(
    dm: discord.DMChannel, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("la la la")
    for answer in (await send(dm, "hi"), await send(dm, "listen", notes)):
        assert answer.content.startswith("Send me a song")


async def test_a_song_is_answered_although_nobody_can_look_up_its_senders_language(
    dm: discord.DMChannel, offering: SongSplits, song: Path
) -> None:
    offering.is_away = True
    answer = await send(dm, "", song)
    assert answer.embeds[0].title == "Neon Rain"


async def test_nothing_is_said_in_a_server(dm: discord.DMChannel, song: Path) -> None:
    await dpytest.message("hello", attachments=[song])
    assert dpytest.sent_queue.empty()
