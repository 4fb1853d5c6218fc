"""Hand-written fakes of the discord.py objects and services that commands use."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import discord
from discord import app_commands

from bot.domain.guilds import GuildRules
from bot.domain.job import Job, JobId, Membership, Reply, Request, Source, UserId
from bot.domain.recipes import AudioFormat, Recipe
from bot.i18n.languages import Languages
from bot.jobs.intake import Limits
from bot.scheduling.plans import Offer
from bot.ui.attachments.attachment_cache import AttachmentCache
from bot.ui.batch_requests import BatchRequests
from bot.ui.services import Services, UseCases
from bot.ui.split_requests import SplitRequests
from storage.stores.standing import Standing
from tests.support.card_factories import a_job, a_usage
from tests.support.fakes import FakeClock
from tests.support.installed_languages import installed


class FakeHttpAnswer:
    """The attributes of an HTTP response that discord.py's exceptions need."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.reason = "as the test says"
        self.headers: dict[str, str] = {}


def refusal(status: int, code: int = 0) -> discord.HTTPException:
    """Return the exception that discord.py raises for a refusal."""
    kinds = {403: discord.Forbidden, 404: discord.NotFound}
    kind = kinds.get(status, discord.HTTPException)
    answer: Any = FakeHttpAnswer(status)
    return kind(answer, {"code": code, "message": "no"})


@dataclass
class FakeCallback:
    """Discord's response to a deferred answer."""

    message_id: int | None = 70


@dataclass
class FakeResponse:
    """The first answer to an interaction, which raises `errors` before it succeeds."""

    errors: list[BaseException] = field(default_factory=list)
    deferred: list[bool] = field(default_factory=list)
    sent: list[tuple[str | None, dict[str, Any]]] = field(default_factory=list)
    type: discord.InteractionResponseType | None = None

    def is_done(self) -> bool:
        return self.type is not None

    async def defer(self, *, ephemeral: bool = False, thinking: bool = False) -> FakeCallback:
        if self.errors:
            raise self.errors.pop(0)
        self.deferred.append(ephemeral)
        self.type = discord.InteractionResponseType.deferred_channel_message
        return FakeCallback()

    async def send_message(self, content: str | None = None, **details: Any) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.type = discord.InteractionResponseType.channel_message
        self.sent.append((content, details))


@dataclass
class FakeMessage:
    """An existing message."""

    id: int = 70


@dataclass
class FakeFollowup:
    """Looks up the reply, returning each of `answers` in turn and repeating the last."""

    answers: list[FakeMessage | Exception] = field(default_factory=lambda: [refusal(404, 10015)])
    looks: int = 0

    async def fetch_message(self, message_id: str) -> FakeMessage:
        assert message_id == "@original"
        self.looks += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class FakeUser:
    """A user."""

    id: int = 1


@dataclass
class FakeInteraction:
    """An interaction, by default in a server."""

    response: FakeResponse = field(default_factory=FakeResponse)
    followup: FakeFollowup = field(default_factory=FakeFollowup)
    id: int = 900
    application_id: int = 6
    token: str = "secret"
    channel_id: int | None = 5
    guild_id: int | None = 7
    is_installed_in_guild: bool = True
    context: app_commands.AppCommandContext = field(
        default_factory=lambda: app_commands.AppCommandContext(guild=True)
    )
    channel: object = None
    user: FakeUser = field(default_factory=FakeUser)
    filesize_limit: int = 10 * 1024 * 1024
    locale: discord.Locale = discord.Locale.german
    edits: list[dict[str, Any]] = field(default_factory=list)
    data: dict[str, Any] | None = None

    def is_guild_integration(self) -> bool:
        return self.is_installed_in_guild

    async def edit_original_response(self, **details: Any) -> None:
        self.edits.append(details)


@dataclass
class FakeSplits:
    """Records the actions on one job."""

    error: Exception | None = None
    job: Job = field(default_factory=lambda: a_job(acknowledged_at=None))
    requests: list[tuple[int, Request, Reply]] = field(default_factory=list)
    happened: list[tuple[str, object]] = field(default_factory=list)
    jobs: Sequence[Job] = ()
    answering_now: int = 0

    @contextmanager
    def answering(self) -> Iterator[None]:
        self.answering_now += 1
        yield
        self.answering_now -= 1

    async def receive(
        self, *, interaction_id: int, request: Request, reply: Reply, standing: object = None
    ) -> Job:
        self.requests.append((interaction_id, request, reply))
        if self.error is not None:
            raise self.error
        return self.job

    async def acknowledged(self, job_id: JobId, *, message_id: int | None) -> None:
        self.happened.append(("acknowledged", message_id))

    async def unacknowledged(self, job_id: JobId, *, in_doubt: bool = False) -> None:
        self.happened.append(("unacknowledged", "perhaps seen" if in_doubt else None))

    async def jobs_of(self, user_id: UserId, *, limit: int = 10) -> list[Job]:
        return list(self.jobs)[:limit]

    def provider_titles(self) -> dict[str, str]:
        return {"audiocleaner": "AudioCleaner"}

    def offers(self) -> tuple[Offer, ...]:
        return (Offer(Recipe.KARAOKE, ("audiocleaner",), is_basic=False),)


class OfferingSplits(FakeSplits):
    """Offers every recipe, in basic quality only."""

    formats = tuple(AudioFormat)
    limits = Limits(max_file_mib=100, max_duration_minutes=20)

    def offers(self) -> tuple[Offer, ...]:
        return tuple(Offer(recipe, ("local",), is_basic=True) for recipe in Recipe)


@dataclass
class FakeServers:
    """A server with these rules."""

    own: GuildRules = field(default_factory=GuildRules)

    async def rules(self, guild_id: int | None) -> GuildRules:
        return GuildRules() if guild_id is None else self.own


@dataclass
class FakeQuotas:
    """Gives everyone an hour, under the server's rules."""

    servers: FakeServers

    async def standing(self, user_id: UserId, membership: Membership | None) -> Standing:
        guild_id = None if membership is None else membership.guild_id
        return Standing(
            block=None, rules=await self.servers.rules(guild_id), own=a_usage(), shared=None
        )


class FakeAttachmentUrls:
    """Marks the addresses that it is asked to refresh."""

    async def with_live_url(self, source: Source, *, now: object) -> Source:
        return replace(source, url=source.url + "?renewed")


def services_of(
    *,
    splits: Any = None,
    servers: Any = None,
    languages: Languages | None = None,
    presenter: Any = None,
    zips: Any = None,
    clips: Any = None,
    **use_cases: Any,
) -> Services:
    """Return services made of these fakes. All others are missing."""
    splits, servers = splits or OfferingSplits(), servers or FakeServers()
    names = ("batches", "quotas", "administration", "overview", "redelivery", "privacy")
    urls: Any = FakeAttachmentUrls()
    batches: Any = use_cases.get("batches")
    quotas: Any = use_cases.get("quotas") or FakeQuotas(servers)
    missing: Any = None
    return Services(
        use_cases=UseCases(
            splits=splits, admission=servers, **{**dict.fromkeys(names, missing), **use_cases}
        ),
        requests=SplitRequests(
            splits=splits, quotas=quotas, attachment_urls=urls, clock=FakeClock()
        ),
        batch_requests=BatchRequests(
            batches=batches,
            servers=servers,
            attachment_urls=urls,
            clock=FakeClock(),
        ),
        presenter=presenter,
        zips=zips,
        clips=clips,
        attachments=AttachmentCache(),
        languages=languages or installed(),
    )
