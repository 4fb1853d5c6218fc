from dataclasses import dataclass
from typing import Any

from bot.domain.guilds import GuildRules
from bot.domain.job import Source
from bot.domain.recipes import AudioFormat, Recipe
from cogs.split import SplitCog
from tests.support.discord_fakes import FakeInteraction, FakeServers, FakeSplits, services_of


@dataclass
class FakeAttachment:
    """A file as Discord describes it."""

    filename: str = "Neon_Rain.mp3"
    title: str | None = None
    url: str = "https://cdn.invalid/a.mp3"
    size: int = 5_000_000


async def split(
    file: FakeAttachment, rules: GuildRules | None = None, **options: Any
) -> FakeSplits:
    splits = FakeSplits()
    servers = FakeServers(rules or GuildRules())
    cog = SplitCog(services_of(splits=splits, servers=servers))
    callback: Any = SplitCog.split.callback
    await callback(cog, FakeInteraction(), file, **options)
    return splits


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


RULES = GuildRules(recipe=Recipe.FOUR_STEMS, audio_format=AudioFormat.OPUS, is_private=True)


async def test_what_is_not_said_is_as_the_server_prefers() -> None:
    splits = await split(FakeAttachment(), RULES)
    [(_, request, reply)] = splits.requests
    assert request.recipe is Recipe.FOUR_STEMS
    assert request.audio_format is AudioFormat.OPUS
    assert reply.is_ephemeral


async def test_what_is_said_goes_before_what_the_server_prefers() -> None:
    splits = await split(
        FakeAttachment(),
        RULES,
        stems=Recipe.KARAOKE,
        audio_format=AudioFormat.MP3,
        private=False,
    )
    [(_, request, reply)] = splits.requests
    assert request.recipe is Recipe.KARAOKE
    assert request.audio_format is AudioFormat.MP3
    assert not reply.is_ephemeral


async def test_the_servers_role_of_everybody_goes_with_the_request() -> None:
    splits = await split(FakeAttachment())
    [(_, request, _)] = splits.requests
    assert request.role_ids == (7,)
