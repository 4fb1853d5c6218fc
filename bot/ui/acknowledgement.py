"""Turns an interaction into a job or a batch: stores it, acknowledges it, then starts work."""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import aiohttp
import discord

from bot.batches.batch_service import BatchRequest, BatchService
from bot.domain.errors import SplitError
from bot.domain.job import Reply, Request
from bot.jobs.split_service import SplitService
from bot.ui.error_answers import UNREACHABLE
from storage.stores.standing import Standing

log = logging.getLogger(__name__)

_Id_contra = TypeVar("_Id_contra", contravariant=True)

ALREADY_ACKNOWLEDGED = 40060
TRIES = 2
REPEATED_AFTER_S = 1.0
"""The least time after which discord.py repeats a request that Discord answered with 5xx."""
ANSWER_WITHIN_S = 5.0
"""The time limit for an answer on a hanging connection; Discord refuses answers after 3 s."""
LOOK_AFTER_S = (0.0, 0.5, 2.0)
"""Pauses before each lookup of a reply; Discord sometimes briefly rejects a valid token."""


_being_answered: set[int] = set()
"""Interactions that are being answered; one may arrive twice when the gateway resumes."""


class NotAcknowledged(SplitError):
    """Discord did not accept the answer or, if `in_doubt`, may not have accepted it."""

    def __init__(self, message: str, *, in_doubt: bool = False) -> None:
        super().__init__(message)
        self.in_doubt = in_doubt


class _Service(Protocol[_Id_contra]):
    """The service that is told whether Discord accepted the answer."""

    async def acknowledged(self, received: _Id_contra, /, *, message_id: int | None) -> None: ...

    async def unacknowledged(self, received: _Id_contra, /, *, in_doubt: bool) -> None: ...


async def start_batch(
    interaction: discord.Interaction[Any],
    batches: BatchService,
    *,
    request: BatchRequest,
    reply: Reply,
    within_s: float = ANSWER_WITHIN_S,
    look_after_s: Sequence[float] = LOOK_AFTER_S,
) -> None:
    """Store a batch, acknowledge it, and start it once Discord has accepted the answer.

    Raises the errors of `BatchService.receive`, before anything is answered.
    """
    batch = await batches.receive(interaction_id=interaction.id, request=request, reply=reply)
    if batch.acknowledged_at is not None:
        _log_twice(f"batch {batch.id}")
        return
    await _answer(
        interaction,
        batches,
        batch.id,
        what=f"batch {batch.id}",
        ephemeral=reply.is_ephemeral,
        within_s=within_s,
        look_after_s=look_after_s,
    )


async def start_split(
    interaction: discord.Interaction[Any],
    splits: SplitService,
    *,
    request: Request,
    reply: Reply,
    standing: Standing | None = None,
    within_s: float = ANSWER_WITHIN_S,
    look_after_s: Sequence[float] = LOOK_AFTER_S,
) -> None:
    """Store the request, acknowledge it, and start work once Discord has accepted the answer.

    `standing` is the user's, if the caller has just read it. Raises the errors of
    `SplitService.receive`, before anything is answered.
    """
    job = await splits.receive(
        interaction_id=interaction.id, request=request, reply=reply, standing=standing
    )
    if job.acknowledged_at is not None:
        _log_twice(job.id)
        return
    await _answer(
        interaction,
        splits,
        job.id,
        what=job.id,
        ephemeral=reply.is_ephemeral,
        within_s=within_s,
        look_after_s=look_after_s,
    )


async def _answer(
    interaction: discord.Interaction[Any],
    service: _Service[_Id_contra],
    received: _Id_contra,
    *,
    what: str,
    ephemeral: bool,
    within_s: float,
    look_after_s: Sequence[float],
) -> None:
    """Acknowledge the interaction, and tell the service whether Discord has accepted that."""
    if interaction.id in _being_answered:
        _log_twice(what)
        return
    _being_answered.add(interaction.id)
    try:
        message_id = await acknowledge(
            interaction, ephemeral=ephemeral, within_s=within_s, look_after_s=look_after_s
        )
    except NotAcknowledged as exc:
        log.warning("%s: not acknowledged: %s", what, exc)
        await service.unacknowledged(received, in_doubt=exc.in_doubt)
        return
    finally:
        _being_answered.discard(interaction.id)
    await service.acknowledged(received, message_id=message_id)


def _log_twice(what: str) -> None:
    log.info("%s: its interaction arrived twice", what)


async def acknowledge(
    interaction: discord.Interaction[Any],
    *,
    ephemeral: bool,
    within_s: float = ANSWER_WITHIN_S,
    look_after_s: Sequence[float] = LOOK_AFTER_S,
) -> int | None:
    """Defer the answer, and return the reply's message id if known; raises NotAcknowledged.

    After a lost connection, ask Discord whether it has accepted the answer.
    """
    try:
        async with asyncio.timeout(within_s):
            return await _defer(interaction, ephemeral=ephemeral, tries=TRIES)
    except discord.HTTPException as exc:
        if exc.code == ALREADY_ACKNOWLEDGED:
            log.error(  # noqa: TRY400 - the message is complete without a traceback
                "another process answers for this application, with the same token: stop it, or "
                "give one of the two its own application"
            )
            raise NotAcknowledged("another process has answered") from exc
        if exc.status < 500:
            raise NotAcknowledged(f"status {exc.status}, code {exc.code}") from exc
        log.info("Discord may have accepted an answer: status %s", exc.status)
    except (aiohttp.ClientError, OSError, TimeoutError) as exc:
        log.info("Discord may have accepted an answer: %s", type(exc).__name__)
    return await _find_reply(interaction, within_s=within_s, look_after_s=look_after_s)


async def _find_reply(
    interaction: discord.Interaction[Any], *, within_s: float, look_after_s: Sequence[float]
) -> int:
    """Return the reply's message id if Discord accepted the answer. Raises NotAcknowledged."""
    error = NotAcknowledged("the reply was not looked up", in_doubt=True)
    for pause_s in look_after_s:
        await asyncio.sleep(pause_s)
        try:
            async with asyncio.timeout(within_s):
                found = await interaction.followup.fetch_message("@original")  # type: ignore[arg-type] # what Discord takes
                return found.id
        except discord.NotFound:
            error = NotAcknowledged("Discord has no reply")
        except UNREACHABLE as exc:
            error = NotAcknowledged(f"unknown: {type(exc).__name__}", in_doubt=True)
    raise error


async def _defer(
    interaction: discord.Interaction[Any], *, ephemeral: bool, tries: int
) -> int | None:
    """Defer the answer, retrying after a broken connection; return the message's id if known."""
    began = time.monotonic()
    try:
        answer = await interaction.response.defer(ephemeral=ephemeral, thinking=True)
    except (aiohttp.ClientError, OSError):
        # The answer may have arrived, in which case Discord answers the retry with
        # ALREADY_ACKNOWLEDGED.
        if tries > 1:
            return await _defer(interaction, ephemeral=ephemeral, tries=tries - 1)
        raise
    except discord.HTTPException as exc:
        is_repeated = tries < TRIES or time.monotonic() - began >= REPEATED_AFTER_S
        if exc.code == ALREADY_ACKNOWLEDGED and is_repeated:
            return None  # acknowledged by the previous try
        raise
    return answer.message_id if answer else None
