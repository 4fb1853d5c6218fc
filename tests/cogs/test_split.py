from dataclasses import dataclass
from typing import Any

from bot.domain.job import Source
from bot.domain.stems import AudioFormat, Recipe
from cogs.split import SplitCog
from tests.fakes import FakeClock
from tests.ui.fakes import FakeInteraction, FakeSplits


@dataclass
class FakeAttachment:
    """A file as Discord describes it."""

    filename: str = "Neon_Rain.mp3"
    title: str | None = None
    url: str = "https://cdn.invalid/a.mp3"
    size: int = 5_000_000


async def split(file: FakeAttachment, **options: Any) -> FakeSplits:
    splits: Any = FakeSplits()
    cog = SplitCog(splits=splits, clock=FakeClock())
    callback: Any = SplitCog.split.callback
    await callback(cog, FakeInteraction(), file, **options)
    found: FakeSplits = splits
    return found


async def test_a_bare_split_is_karaoke_as_mp3_by_anybody() -> None:
    splits = await split(FakeAttachment())
    [(interaction_id, request, reply)] = splits.requests
    assert interaction_id == 900
    assert request.recipe is Recipe.KARAOKE
    assert request.audio_format is AudioFormat.MP3
    assert request.provider is None
    assert not reply.is_ephemeral
    assert splits.happened == [("acknowledged", 70)]


async def test_the_songs_own_name_is_kept_where_discord_changed_it() -> None:
    splits = await split(FakeAttachment(filename=".mp3", title="夜に駆ける"))
    [(_, request, _)] = splits.requests
    assert request.source == Source(
        filename="夜に駆ける", url="https://cdn.invalid/a.mp3", size_bytes=5_000_000
    )


async def test_options_reach_the_request() -> None:
    splits = await split(
        FakeAttachment(),
        stems=Recipe.NO_DRUMS,
        audio_format=AudioFormat.FLAC,
        provider="AudioCleaner",
        private=True,
    )
    [(_, request, reply)] = splits.requests
    assert request.recipe is Recipe.NO_DRUMS
    assert request.audio_format is AudioFormat.FLAC
    assert request.provider == "audiocleaner"
    assert reply.is_ephemeral
