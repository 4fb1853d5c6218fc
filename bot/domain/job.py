"""A job: one request, its states, and the transitions between them."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import NewType, Self

from bot.domain.analysis import Analysis
from bot.domain.errors import Problem
from bot.domain.recipes import OUTPUTS, UNNAMED, AudioFormat, Recipe, Stem
from bot.domain.renditions import UNCHANGED, Rendition

JobId = NewType("JobId", str)
UserId = NewType("UserId", int)
BatchId = NewType("BatchId", str)


class State(StrEnum):
    """A job's state; ARCHITECTURE.md shows the transitions."""

    RECEIVED = "received"
    HELD = "held"
    SUBMITTING = "submitting"
    PROCESSING = "processing"
    READY = "ready"
    DELIVERED = "delivered"
    KEPT = "kept"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether a job in this state never changes again."""
        return not TRANSITIONS[self]


_ENDS = frozenset({State.FAILED, State.CANCELLED})

TRANSITIONS: dict[State, frozenset[State]] = {
    State.RECEIVED: frozenset({State.HELD, State.READY}) | _ENDS,
    State.HELD: frozenset({State.SUBMITTING}) | _ENDS,
    State.SUBMITTING: frozenset({State.PROCESSING, State.SUBMITTING}) | _ENDS,
    State.PROCESSING: frozenset({State.SUBMITTING, State.READY}) | _ENDS,
    State.READY: frozenset({State.DELIVERED, State.KEPT, State.FAILED}),
    State.DELIVERED: frozenset(),
    State.KEPT: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
}
"""The allowed transitions.

A `ready` job is paid for, so it is delivered or kept. It fails only if its stems are lost before
that, and then its minutes are refunded. A `received` job goes straight to `ready` if the user
already has the same stems.
"""


class DeliveryDifference(StrEnum):
    """A difference between the delivered files and the request; stored with the job.

    A value from another version reads as OTHER.
    """

    LOWER_BIT_RATE = "lower_bit_rate"
    FLAC_INSTEAD = "flac_instead"
    MP3_INSTEAD = "mp3_instead"
    NOT_RENDERED = "not_rendered"
    OTHER = "other"

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("other")


class Context(StrEnum):
    """The kind of place a reply is in, which decides who may edit it and for how long."""

    GUILD = "guild"
    GUILD_EPHEMERAL = "guild_ephemeral"
    BOT_DM = "bot_dm"
    GUILD_USER_INSTALL = "guild_user_install"
    GROUP_DM = "group_dm"
    PRIVATE_DM = "private_dm"


class Entry(IntEnum):
    """The way in which a request was made."""

    COMMAND = 1
    MENU = 2
    MESSAGE = 3
    BUTTON = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The user's file as Discord describes it; nothing is verified."""

    filename: str
    url: str
    size_bytes: int
    message_id: int | None = None
    """The message that the file is attached to, if any; Discord can renew the URL of such a
    file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The request: the song, and the user's choices."""

    user_id: UserId
    source: Source
    recipe: Recipe
    audio_format: AudioFormat
    provider: str | None = None
    """The provider that the user chose; None leaves the choice to routing."""
    entry: Entry = Entry.COMMAND
    role_ids: tuple[int, ...] = ()
    """The user's roles in the request's server, which their allowance may depend on."""
    rendition: Rendition = UNCHANGED
    """The key, speed and mix in which the stems are delivered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A user's membership in a server."""

    guild_id: int
    role_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The message that shows the job, and every way to reach it."""

    channel_id: int
    context: Context
    application_id: int
    parent_channel_id: int | None = None
    """The parent channel, if `channel_id` is a thread."""
    guild_id: int | None = None
    message_id: int | None = None
    token: str | None = None
    """The interaction's token, which is secret and deleted as soon as the job is final."""
    token_expires_at: datetime | None = None
    size_limit_bytes: int = 10 * 1024 * 1024
    """Discord's `attachment_size_limit` of the interaction: the limit for one file, in bytes."""
    locale: str = "en-US"
    is_user_install: bool = False
    """Whether the bot is in the server only through the user. Not stored, since only admission
    needs it."""

    @property
    def is_ephemeral(self) -> bool:
        """Whether only the user sees the reply."""
        return self.context is Context.GUILD_EPHEMERAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One request and its progress.

    Methods that change a job return a changed copy, to be saved.
    """

    id: JobId
    interaction_id: int
    request: Request
    reply: Reply
    state: State = State.RECEIVED
    created_at: datetime
    updated_at: datetime
    acknowledged_at: datetime | None = None
    title: str
    """The displayed name of the song: from the file's tags, else from the file name."""
    frames: int | None = None
    """The decoded length in frames at 44.1 kHz; known from `held` on."""
    minutes: int | None = None
    """The charge in minutes; known from `held` on."""
    provider: str | None = None
    """The provider of the latest attempt."""
    problem: Problem | None = None
    sent: DeliveryDifference | None = None
    """The difference between the delivered files and the request; None if there is none."""
    files_expired: bool = False
    digest: str | None = None
    """A digest of the user's file; deleted with the job's files."""
    repeat_of: JobId | None = None
    """The user's earlier job that made the stems, if this one reuses them, uncharged."""
    ends_early: bool = False
    """Whether the file breaks off mid-sound; if so, the stems end there too."""
    is_voiceless: bool = False
    """Whether no voice was found in the song; known from `ready` on."""
    is_unnamed: bool = False
    """Whether the stems are two parts that could not be told apart; known from `ready` on."""
    artist: str | None = None
    """The artist from the file's tags; known from `held` on, as is `album`."""
    album: str | None = None
    analysis: Analysis | None = None
    """The analysis of the stems, or None before it is stored."""
    batch_id: BatchId | None = None
    """The batch of the song.

    Such a job has no reply: `reply` locates the batch's, and the interaction id is a random
    negative number."""

    @property
    def stems(self) -> tuple[Stem, ...]:
        """The stems that the job makes, in display order."""
        if self.is_unnamed:
            return UNNAMED
        return tuple(output.stem for output in OUTPUTS[self.request.recipe])

    @property
    def has_stems(self) -> bool:
        """Whether the job has a result that can still be shown."""
        return self.state in (State.DELIVERED, State.KEPT) and not self.files_expired

    @property
    def heard(self) -> Analysis | None:
        """The analysis of the stems in the requested rendition."""
        rendition = self.request.rendition
        return self.analysis and self.analysis.rendered(
            cents=rendition.cents, speed_percent=rendition.speed_percent
        )

    @property
    def membership(self) -> Membership | None:
        """The user's membership in the request's server; None outside servers."""
        guild_id = self.reply.guild_id
        if guild_id is None:
            return None
        return Membership(guild_id=guild_id, role_ids=self.request.role_ids)

    def _to(self, state: State, now: datetime, **changes: object) -> Self:
        if state not in TRANSITIONS[self.state]:
            raise ValueError(f"no transition from {self.state} to {state}")
        return replace(self, state=state, updated_at=now, **changes)  # type: ignore[arg-type] # replace() checks the names at run time

    def acknowledged(self, now: datetime, *, message_id: int | None) -> Self:
        """Record that Discord has shown the user an answer; work may begin only now."""
        reply = replace(self.reply, message_id=message_id or self.reply.message_id)
        return replace(self, acknowledged_at=now, updated_at=now, reply=reply)

    def held(
        self,
        now: datetime,
        *,
        frames: int,
        minutes: int,
        title: str,
        digest: str | None = None,
        ends_early: bool = False,
        artist: str | None = None,
        album: str | None = None,
    ) -> Self:
        """Record the decoded length and the minutes held for it."""
        return self._to(
            State.HELD,
            now,
            frames=frames,
            minutes=minutes,
            title=title,
            digest=digest,
            ends_early=ends_early,
            artist=artist,
            album=album,
        )

    def repeated(self, now: datetime, earlier: Self, *, title: str) -> Self:
        """Record that an earlier job already has the result for the same file."""
        return self._to(
            State.READY,
            now,
            frames=earlier.frames,
            title=title,
            provider=earlier.provider,
            digest=earlier.digest,
            repeat_of=earlier.repeat_of or earlier.id,
            ends_early=earlier.ends_early,
            is_voiceless=earlier.is_voiceless,
            is_unnamed=earlier.is_unnamed,
            artist=earlier.artist,
            album=earlier.album,
        )

    def submitting(self, now: datetime, *, provider: str) -> Self:
        """Record that an attempt at `provider` is about to be sent."""
        return self._to(State.SUBMITTING, now, provider=provider)

    def processing(self, now: datetime) -> Self:
        """Record that the provider accepted the attempt."""
        return self._to(State.PROCESSING, now)

    def ready(self, now: datetime, *, is_voiceless: bool = False, is_unnamed: bool = False) -> Self:
        """Record that all stems are on disk."""
        return self._to(State.READY, now, is_voiceless=is_voiceless, is_unnamed=is_unnamed)

    def delivered(
        self, now: datetime, *, message_id: int | None, sent: DeliveryDifference | None
    ) -> Self:
        """Record that the reply shows the stems, with the differences in `sent`."""
        reply = replace(self.reply, token=None, message_id=message_id or self.reply.message_id)
        return self._to(State.DELIVERED, now, sent=sent, reply=reply)

    def kept(self, now: datetime, *, problem: Problem | None = None) -> Self:
        """Record that no route to the reply was open; /result still shows the stems.

        If there is a `problem`, it says why the stems must not be shown again.
        """
        return self._to(State.KEPT, now, problem=problem).without_token()

    def failed(self, now: datetime, problem: Problem) -> Self:
        """End the job without a result."""
        return self._to(State.FAILED, now, problem=problem)

    def cancelled(self, now: datetime, problem: Problem) -> Self:
        """End the job because its result is no longer wanted."""
        return self._to(State.CANCELLED, now, problem=problem)

    def asked_as(
        self, *, audio_format: AudioFormat | None = None, rendition: Rendition | None = None
    ) -> Self:
        """Return the job as if another format or rendition had been requested."""
        request = replace(
            self.request,
            audio_format=audio_format or self.request.audio_format,
            rendition=self.request.rendition if rendition is None else rendition,
        )
        return replace(self, request=request)

    def without_token(self) -> Self:
        """Drop the interaction's token, once nothing more will be sent with it."""
        return replace(self, reply=replace(self.reply, token=None))
