"""Conversion of jobs and attempts between rows and domain objects."""

import json
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, overload

from bot.domain.analysis import Analysis
from bot.domain.attempt import Attempt, AttemptError, AttemptState, RemoteFile, RemoteRef
from bot.domain.errors import Problem, Reason
from bot.domain.job import (
    BatchId,
    Context,
    DeliveryDifference,
    Entry,
    Job,
    JobId,
    Reply,
    Request,
    Source,
    State,
    UserId,
)
from bot.domain.recipes import AudioFormat, Recipe, Stem
from bot.domain.renditions import Rendition
from storage.database.protocols import Row

Values = dict[str, int | str | None]

log = logging.getLogger(__name__)

NOT_UNDERSTOOD = (ValueError, TypeError, KeyError, OverflowError, OSError)
"""Errors that a value of another version may raise."""


class UnreadableRow(Exception):
    """A row has a value that this version does not know. The message names it."""


class UnreadableRows:
    """Counts rows that this version cannot read, and logs each once."""

    def __init__(self, kind: str) -> None:
        """`kind` is what the log calls such rows, in the plural."""
        self._kind = kind
        self._skipped: set[str] = set()

    def __len__(self) -> int:
        """Return the number of rows skipped so far."""
        return len(self._skipped)

    def skip(self, row_id: str, why: UnreadableRow) -> None:
        """Count a row that is left as it is."""
        if row_id in self._skipped:
            return
        self._skipped.add(row_id)
        log.error(
            "%s is left as it is, since this version cannot read it: %s (%d such %s so far)",
            row_id,
            why,
            len(self._skipped),
            self._kind,
            extra={"job": row_id, "action": "skipped"},
        )


def job_of(row: Row) -> Job:
    """Build the job from a row of `jobs`. Raises UnreadableRow."""
    try:
        return _job_of(row)
    except NOT_UNDERSTOOD as exc:
        raise UnreadableRow(str(exc)) from exc


def _job_of(row: Row) -> Job:
    return Job(
        id=JobId(row["id"]),
        interaction_id=row["interaction_id"],
        request=_request_of(row),
        reply=reply_of(row),
        state=State(row["state"]),
        created_at=time_of(row["created_at"]),
        updated_at=time_of(row["updated_at"]),
        acknowledged_at=time_of(row["acknowledged_at"]),
        title=row["title"],
        frames=row["frames"],
        minutes=row["minutes"],
        provider=row["provider"],
        problem=_problem_of(row),
        sent=DeliveryDifference(row["sent"]) if row["sent"] is not None else None,
        files_expired=bool(row["files_expired"]),
        digest=row["digest"],
        repeat_of=JobId(row["repeat_of"]) if row["repeat_of"] is not None else None,
        ends_early=bool(row["ends_early"]),
        is_voiceless=bool(row["is_voiceless"]),
        is_unnamed=bool(row["is_unnamed"]),
        artist=row["artist"],
        album=row["album"],
        analysis=Analysis.from_json(row["analysis"]) if row["analysis"] != "{}" else None,
        batch_id=BatchId(row["batch_id"]) if row["batch_id"] is not None else None,
    )


def _request_of(row: Row) -> Request:
    return Request(
        user_id=UserId(row["user_id"]),
        source=Source(
            filename=row["filename"],
            url=row["url"],
            size_bytes=row["size_bytes"],
            message_id=row["source_message_id"],
        ),
        recipe=Recipe(row["recipe"]),
        audio_format=AudioFormat(row["audio_format"]),
        provider=row["wanted_provider"],
        entry=Entry(row["entry"]),
        role_ids=tuple(json.loads(row["role_ids"])),
        rendition=Rendition.from_json(row["rendition"]),
    )


def reply_of(row: Row) -> Reply:
    """Build a reply from the columns that locate it."""
    return Reply(
        channel_id=row["channel_id"],
        parent_channel_id=row["parent_channel_id"],
        context=Context(row["context"]),
        application_id=row["application_id"],
        guild_id=row["guild_id"],
        message_id=row["message_id"],
        token=row["token"],
        token_expires_at=time_of(row["token_expires_at"]),
        size_limit_bytes=row["size_limit_bytes"],
        locale=row["locale"],
    )


def _problem_of(row: Row) -> Problem | None:
    if row["reason"] is None:
        return None
    return Problem(Reason(row["reason"]), json.loads(row["facts"]))


def job_values(job: Job) -> Values:
    """Return every column of a job, for its first insert."""
    return {
        "id": job.id,
        "interaction_id": job.interaction_id,
        "batch_id": job.batch_id,
        "created_at": seconds(job.created_at),
        **_request_values(job.request),
        **reply_values(job.reply),
        **work_values(job),
    }


def _request_values(request: Request) -> Values:
    return {
        "user_id": request.user_id,
        "filename": request.source.filename,
        "url": request.source.url,
        "size_bytes": request.source.size_bytes,
        "source_message_id": request.source.message_id,
        "recipe": request.recipe,
        "audio_format": request.audio_format,
        "wanted_provider": request.provider,
        "entry": int(request.entry),
        "role_ids": json.dumps(request.role_ids),
        "rendition": request.rendition.to_json(),
    }


def reply_values(reply: Reply) -> Values:
    """Return the columns that locate the reply."""
    return {
        "channel_id": reply.channel_id,
        "parent_channel_id": reply.parent_channel_id,
        "context": reply.context,
        "application_id": reply.application_id,
        "guild_id": reply.guild_id,
        "message_id": reply.message_id,
        "token": reply.token,
        "token_expires_at": seconds(reply.token_expires_at),
        "size_limit_bytes": reply.size_limit_bytes,
        "locale": reply.locale,
    }


def work_values(job: Job) -> Values:
    """Return the columns that change as the job progresses."""
    return {
        "state": job.state,
        "updated_at": seconds(job.updated_at),
        "acknowledged_at": seconds(job.acknowledged_at),
        "title": job.title,
        "frames": job.frames,
        "minutes": job.minutes,
        "provider": job.provider,
        "reason": job.problem.reason if job.problem else None,
        "facts": json.dumps(dict(job.problem.facts) if job.problem else {}),
        "sent": job.sent,
        "digest": job.digest,
        "repeat_of": job.repeat_of,
        "ends_early": job.ends_early,
        "is_voiceless": job.is_voiceless,
        "is_unnamed": job.is_unnamed,
        "artist": job.artist,
        "album": job.album,
    }


def attempt_of(row: Row | Mapping[str, Any]) -> Attempt:
    """Build the attempt from a row of `attempts`. Raises UnreadableRow.

    A file whose stem this version does not know is left out, because recording that the attempt was
    made matters more.
    """
    try:
        return _attempt_of(row)
    except NOT_UNDERSTOOD as exc:
        raise UnreadableRow(str(exc)) from exc


def _attempt_of(row: Row | Mapping[str, Any]) -> Attempt:
    return Attempt(
        job_id=JobId(row["job_id"]),
        provider=row["provider"],
        number=row["number"],
        model=row["model"],
        state=AttemptState(row["state"]),
        cost_minutes=row["cost_minutes"],
        submitted_at=time_of(row["submitted_at"]),
        updated_at=time_of(row["updated_at"]),
        ref=RemoteRef(row["ref"]) if row["ref"] is not None else None,
        files=tuple(_files_of(row)),
        error=AttemptError(row["error"]) if row["error"] is not None else None,
    )


def _files_of(row: Row | Mapping[str, Any]) -> Iterator[RemoteFile]:
    for address, stem in json.loads(row["files"]):
        if stem is None or stem in set(Stem):
            yield RemoteFile(address, Stem(stem) if stem is not None else None)
        else:
            log.error("%s: a result is of a stem unknown here: %s", row["job_id"], stem)


def attempt_values(attempt: Attempt) -> Values:
    """Return every column of an attempt."""
    return {
        "job_id": attempt.job_id,
        "provider": attempt.provider,
        "number": attempt.number,
        "model": attempt.model,
        "state": attempt.state,
        "cost_minutes": attempt.cost_minutes,
        "submitted_at": seconds(attempt.submitted_at),
        "updated_at": seconds(attempt.updated_at),
        "ref": attempt.ref,
        "files": json.dumps([[file.address, file.stem] for file in attempt.files]),
        "error": attempt.error,
    }


@overload
def seconds(time: datetime) -> int: ...
@overload
def seconds(time: datetime | None) -> int | None: ...
def seconds(time: datetime | None) -> int | None:
    """Return whole epoch seconds, the stored form of every time."""
    return None if time is None else int(time.timestamp())


@overload
def time_of(stored: int) -> datetime: ...
@overload
def time_of(stored: int | None) -> datetime | None: ...
def time_of(stored: int | None) -> datetime | None:
    """Return the aware UTC time of stored epoch seconds."""
    return None if stored is None else datetime.fromtimestamp(stored, UTC)
