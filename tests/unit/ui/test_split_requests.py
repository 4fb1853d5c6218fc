"""Every way to start a split builds the same request from the same answers."""

from dataclasses import replace
from typing import Any

from bot.domain.guilds import GuildRules
from bot.domain.job import Context, Entry, Job, JobId, Reply, Request, State
from bot.domain.recipes import AudioFormat, Recipe
from bot.ui.split_requests import SplitOptions
from tests.support.card_factories import REPLY, REQUEST, a_job
from tests.support.discord_fakes import FakeInteraction, FakeServers, FakeSplits, services_of

RULES = GuildRules(recipe=Recipe.FOUR_STEMS, audio_format=AudioFormat.OPUS, is_private=True)


def options(**changes: Any) -> SplitOptions:
    fields: dict[str, Any] = {"source": REQUEST.source, "entry": Entry.MENU}
    return SplitOptions(**{**fields, **changes})


async def started(
    wanted: SplitOptions, rules: GuildRules | None = None, **where: Any
) -> tuple[Request, Reply]:
    splits = FakeSplits()
    services = services_of(splits=splits, servers=FakeServers(rules or GuildRules()))
    interaction: Any = FakeInteraction(**where)
    await services.requests.start(interaction, wanted)
    [(_, request, reply)] = splits.requests
    return request, reply


async def test_what_is_not_said_is_as_the_server_prefers() -> None:
    request, reply = await started(options(), RULES)
    assert request.recipe is Recipe.FOUR_STEMS
    assert request.audio_format is AudioFormat.OPUS
    assert reply.context is Context.GUILD_EPHEMERAL


class WatchedSplits(FakeSplits):
    """Records whether new jobs were held back when the request was stored and acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.held_back: list[int] = []

    async def receive(self, **what: Any) -> Job:
        self.held_back.append(self.answering_now)
        return await super().receive(**what)

    async def acknowledged(self, job_id: JobId, *, message_id: int | None) -> None:
        self.held_back.append(self.answering_now)


async def test_new_jobs_are_held_back_until_the_answer_is_noted() -> None:
    splits = WatchedSplits()
    interaction: Any = FakeInteraction()
    await services_of(splits=splits).requests.start(interaction, options())
    assert (splits.held_back, splits.answering_now) == ([1, 1], 0)


async def test_what_is_said_wins() -> None:
    said = options(recipe=Recipe.VOCALS, audio_format=AudioFormat.WAV, is_private=False)
    request, reply = await started(said, RULES)
    assert request.recipe is Recipe.VOCALS
    assert request.audio_format is AudioFormat.WAV
    assert reply.context is Context.GUILD


async def test_the_caller_comes_with_their_roles() -> None:
    request, _ = await started(options())
    assert request.user_id == 1
    assert request.role_ids == (7,)
    request, _ = await started(options(), guild_id=None)
    assert request.role_ids == ()


async def test_only_a_commands_own_file_keeps_its_address() -> None:
    for entry in Entry:
        request, _ = await started(options(entry=entry))
        is_renewed = request.source.url.endswith("?renewed")
        assert is_renewed is (entry is not Entry.COMMAND)
        assert request.entry is entry


async def again(recipe: Recipe | None = None, **request: Any) -> tuple[Request, Reply]:
    splits = FakeSplits()
    services = services_of(splits=splits, servers=FakeServers(RULES))
    interaction: Any = FakeInteraction()
    job = a_job(State.FAILED, request=replace(REQUEST, **request), reply=REPLY)
    await services.requests.start_again(interaction, job, recipe=recipe)
    [(_, found, reply)] = splits.requests
    return found, reply


async def test_a_song_is_split_again_as_it_was_whatever_the_server_prefers() -> None:
    request, reply = await again(audio_format=AudioFormat.FLAC)
    assert request.recipe is REQUEST.recipe
    assert request.audio_format is AudioFormat.FLAC
    assert request.entry is Entry.BUTTON
    assert reply.context is Context.GUILD


async def test_a_provider_is_kept_for_what_it_makes() -> None:
    request, _ = await again(provider="audiocleaner")
    assert request.provider == "audiocleaner"
    request, _ = await again(Recipe.VOCALS, provider="audiocleaner")
    assert request.recipe is Recipe.VOCALS
    assert request.provider is None
