"""Stores, starts, cancels and returns users' batches."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.accounts.admission import GuildAdmission
from bot.accounts.quotas import Quotas
from bot.batches.batch_runner import BatchRunner
from bot.domain.clock import Clock
from bot.domain.errors import NotFound, Reason, Rejected
from bot.domain.job import BatchId, Context, Entry, Membership, Reply, Source, UserId
from bot.domain.recipes import AudioFormat, Recipe
from bot.jobs.split_service import SplitService
from storage.database.timely_write import TimelyWrites
from storage.database.write_retry import retry_write
from storage.stores.batches import Batch, BatchContent, BatchStore
from storage.stores.job_store import new_job_id

MAX_SONGS = 10
"""The most files in a form or a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequest:
    """Several songs, and the user's choices for all of them."""

    user_id: UserId
    songs: Sequence[Source]
    recipe: Recipe
    audio_format: AudioFormat
    entry: Entry
    role_ids: tuple[int, ...] = ()


class BatchService:
    """Handles users' requests to split several songs."""

    def __init__(
        self,
        *,
        store: BatchStore,
        splits: SplitService,
        runner: BatchRunner,
        quotas: Quotas,
        admission: GuildAdmission,
        clock: Clock,
    ) -> None:
        self._store = store
        self._splits = splits
        self._runner = runner
        self._quotas = quotas
        self._admission = admission
        self._clock = clock
        self._writes = TimelyWrites(clock=clock)

    async def receive(self, *, interaction_id: int, request: BatchRequest, reply: Reply) -> Batch:
        """Store a batch. For a repeated interaction, return the batch that is already stored.

        Raises Rejected, with ONE_BATCH if the user has an open batch, and StoreUnavailable if the
        batch was not stored in time. A batch that is stored too late is withdrawn.
        """
        if not request.songs:
            raise Rejected(Reason.NO_AUDIO_HERE)
        if len(request.songs) > MAX_SONGS:
            raise Rejected(Reason.TOO_MANY_SONGS, limit=MAX_SONGS)
        if all(offer.recipe is not request.recipe for offer in self._splits.offers()):
            raise Rejected(Reason.NO_PROVIDER, recipe=request.recipe)
        now = self._clock.now()
        batch = Batch(
            id=BatchId(new_job_id()),
            interaction_id=interaction_id,
            user_id=request.user_id,
            recipe=request.recipe,
            audio_format=request.audio_format,
            entry=request.entry,
            role_ids=request.role_ids,
            reply=reply,
            created_at=now,
            updated_at=now,
        )

        async def withdraw(stored: Batch) -> None:
            # Leave alone a batch that another call has stored for the same interaction.
            if stored.id == batch.id:
                await self._store.withdraw(batch.id, self._clock.now(), in_doubt=False)

        return await self._writes.store(self._admit(batch, request.songs), withdraw=withdraw)

    async def acknowledged(self, batch_id: BatchId, *, message_id: int | None) -> None:
        """Record that Discord accepted the acknowledgement, and start the batch."""

        async def note() -> None:
            await self._store.acknowledge(batch_id, self._clock.now(), message_id=message_id)

        await retry_write(note, what=batch_id)
        self._runner.wake()

    async def unacknowledged(self, batch_id: BatchId, *, in_doubt: bool = False) -> None:
        """End a batch whose acknowledgement Discord is not known to have accepted."""
        await retry_write(
            lambda: self._store.withdraw(batch_id, self._clock.now(), in_doubt=in_doubt),
            what=batch_id,
        )

    async def resume(self) -> int:
        """Continue every open batch at start, and return how many there were.

        Ends batches that were never acknowledged, and the remaining songs of batches that were
        being cancelled. Call it before the jobs are resumed.
        """
        found = await self._store.open()
        for batch in found:
            if batch.acknowledged_at is None:
                # Discord may have accepted the answer just before the process ended.
                await self._store.withdraw(batch.id, self._clock.now(), in_doubt=True)
            elif batch.reason is not None:
                await self._runner.advance(batch.id)
        self._runner.wake()
        return len(found)

    async def cancel(self, batch_id: BatchId, *, user_id: UserId) -> None:
        """Cancel the unfinished songs of the caller's batch. Raises NotFound for other batches."""
        batch = await self._need(batch_id)
        if batch.user_id != user_id:
            raise NotFound(batch_id)
        await self._stop(batch, Reason.STOPPED_BY_USER)

    async def cancel_in(self, batch_id: BatchId, *, guild_id: int) -> None:
        """Cancel any user's batch in this server, on behalf of a server manager.

        Raises NotFound if the batch's reply is not in this server.
        """
        batch = await self._need(batch_id)
        if batch.reply.guild_id != guild_id:
            raise NotFound(batch_id)
        await self._stop(batch, Reason.STOPPED_BY_MANAGER)

    async def cancel_all(self, user_id: UserId) -> None:
        """Cancel the user's open batches."""
        for batch in await self._store.open_of(user_id):
            await self._stop(batch, Reason.STOPPED_BY_USER)

    async def get_visible(
        self, batch_id: BatchId, *, user_id: UserId, channel_id: int | None
    ) -> BatchContent:
        """Return a batch that the caller may see in this channel: their own, or a public batch.

        Raises NotFound for all other batches.
        """
        content = await self._store.content(batch_id)
        if content is None:
            raise NotFound(batch_id)
        reply = content.batch.reply
        is_public = not reply.is_ephemeral and reply.context is not Context.BOT_DM
        is_here = channel_id is not None and channel_id == reply.channel_id
        if content.batch.user_id != user_id and not (is_public and is_here):
            raise NotFound(batch_id)
        return content

    async def _stop(self, batch: Batch, reason: Reason) -> None:
        await self._store.stop(batch.id, self._clock.now(), reason)
        await self._runner.advance(batch.id)

    async def _admit(self, batch: Batch, songs: Sequence[Source]) -> Batch:
        membership = _membership(batch)
        standing = await self._quotas.standing(batch.user_id, membership)
        self._admission.check(standing, batch.reply)
        return await self._store.add(batch, songs)

    async def _need(self, batch_id: BatchId) -> Batch:
        batch = await self._store.get(batch_id)
        if batch is None:
            raise NotFound(batch_id)
        return batch


def _membership(batch: Batch) -> Membership | None:
    guild_id = batch.reply.guild_id
    if guild_id is None:
        return None
    return Membership(guild_id=guild_id, role_ids=batch.role_ids)
