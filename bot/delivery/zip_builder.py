"""Builds one file with all stems of one or several songs from the masters."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bot.accounts.admission import GuildAdmission
from bot.audio.tasks import DoesNotFit, Encoded
from bot.delivery.builder import LINKED_RENDITIONS, SHRINK
from bot.delivery.encoder import (
    ALL_FILES_BYTES,
    FULL_BIT_RATE,
    DeliveryEncoder,
    difference,
    move_to_linked,
)
from bot.delivery.port import Masters, ZipDelivery
from bot.delivery.stem_renderer import StemRenderer
from bot.delivery.zip_archive import ZipEntry, archive_overhead, write_archive
from bot.domain.guilds import DeliveryMode
from bot.domain.job import Job
from bot.domain.recipes import AudioFormat
from bot.net.public_links import SignedLinks
from storage.files.job_files import JobFiles

_ARCHIVE = "all.zip"


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipPlan:
    """The content and the names of one file."""

    songs: Sequence[Job]
    """Finished jobs that ask for the same format."""
    folders: Sequence[str]
    """The folder of each song, or an empty name for none."""
    info: str
    """The text that describes the content."""
    filename: str
    linked_name: str
    """The file's name in an address; equal content has equal names."""

    @property
    def keeper(self) -> Job:
        """The job that keeps a linked file: the job whose files expire first."""
        return min(self.songs, key=lambda job: (job.updated_at, job.id))


@dataclass(frozen=True, slots=True)
class _Song:
    job: Job
    masters: Masters
    folder: str
    where: Path
    """The folder for its encoded files."""
    cover: Path | None


class ZipBuilder:
    """Puts stems into one file, as an attachment or behind a link."""

    def __init__(
        self,
        *,
        encoder: DeliveryEncoder,
        renderer: StemRenderer,
        files: JobFiles,
        links: SignedLinks | None,
        admission: GuildAdmission,
        mode: DeliveryMode,
    ) -> None:
        """`links` signs our own links; None if there is no public address."""
        self._encoder = encoder
        self._renderer = renderer
        self._files = files
        self._links = links
        self._admission = admission
        self._mode = mode
        # One file at a time: a file of many songs takes a while, and the threads are few.
        self._writing = asyncio.Semaphore(1)

    async def build(
        self, plan: ZipPlan, into: Path, *, limit_bytes: int, shrinks: int = 0
    ) -> ZipDelivery:
        """Build the file in `into` within the limit, or else for a link.

        Lossy formats are encoded at lower rates to fit. The limit is lowered `shrinks` times.
        Raises DoesNotFit when the file is too large and cannot be linked, and the errors of
        StemRenderer.
        """
        keeper = plan.keeper
        rules = await self._admission.rules(keeper.reply.guild_id)
        mode = rules.delivery or self._mode
        if self._links is not None and mode is DeliveryMode.LINKS:
            return await self._linked(self._links, plan, into)
        songs = await self._rendered(plan, into)
        try:
            room = int(min(limit_bytes, ALL_FILES_BYTES) * SHRINK**shrinks)
            is_linked_else = self._links is not None and mode is DeliveryMode.AUTO
            return await self._fitted(plan, songs, into, room, may_be_flac=not is_linked_else)
        except DoesNotFit:
            if self._links is None:
                raise
            return await self._linked(self._links, plan, into, songs)

    async def _fitted(
        self, plan: ZipPlan, songs: Sequence[_Song], into: Path, room: int, *, may_be_flac: bool
    ) -> ZipDelivery:
        """Attach the stems in the requested format, or FLAC in place of WAV."""
        count = sum(len(each.masters) for each in songs)
        left = room - archive_overhead(count, plan.info)
        wanted = plan.keeper.request.audio_format
        try:
            encoded = await self._encoded(songs, wanted, left)
        except DoesNotFit:
            if wanted is not AudioFormat.WAV or not may_be_flac:
                raise
            encoded = await self._encoded(songs, AudioFormat.FLAC, left)
        return replace(await self._written(plan, songs, encoded, into), file=into / _ARCHIVE)

    async def _linked(
        self,
        links: SignedLinks,
        plan: ZipPlan,
        into: Path,
        songs: Sequence[_Song] | None = None,
    ) -> ZipDelivery:
        """Link to a file at full quality, which is kept with the linked files of `plan.keeper`.

        The songs are rendered if they are needed and not given.
        """
        keeper = plan.keeper
        kept = self._files.of(keeper.id).linked / plan.linked_name
        if await asyncio.to_thread(kept.exists):
            size_bytes = (await asyncio.to_thread(kept.stat)).st_size
            made = ZipDelivery(
                filename=plan.filename,
                size_bytes=size_bytes,
                audio_format=keeper.request.audio_format,
            )
        else:
            songs = songs or await self._rendered(plan, into)
            encoded = await self._encoded(songs, keeper.request.audio_format, None)
            made = await self._written(plan, songs, encoded, into)
            await asyncio.to_thread(move_to_linked, into / _ARCHIVE, kept)
            await self._require_masters(plan, kept)
            await self._files.drop_old_renditions(keeper.id, keep=LINKED_RENDITIONS)
        link = await links.to_result(keeper, plan.linked_name)
        return replace(made, sent=None, url=link.url, expires_at=link.expires_at)

    async def _require_masters(self, plan: ZipPlan, kept: Path) -> None:
        """Raise FileNotFoundError and remove the linked file if any of its songs was deleted."""
        for job in plan.songs:
            if not await self._files.holds(job.id, job.stems):
                await asyncio.to_thread(kept.unlink, missing_ok=True)
                raise FileNotFoundError(kept)

    async def _rendered(self, plan: ZipPlan, into: Path) -> list[_Song]:
        songs = []
        for number, (job, folder) in enumerate(zip(plan.songs, plan.folders, strict=True)):
            where, files = into / f"{number}", self._files.of(job.id)
            await asyncio.to_thread(where.mkdir, mode=0o700, exist_ok=True)
            masters = [(stem, files.master(stem)) for stem in job.stems]
            masters = [*await self._renderer.render(job, masters, where)]
            cover = files.cover if await asyncio.to_thread(files.cover.exists) else None
            songs.append(_Song(job, masters, folder, where, cover))
        return songs

    async def _encoded(
        self, songs: Sequence[_Song], audio_format: AudioFormat, room: int | None
    ) -> list[list[Encoded]]:
        """Encode the stems of every song; lossy files share the room by their lengths.

        Raises DoesNotFit.
        """
        total = sum(_length(each) * len(each.masters) for each in songs)
        encoded = []
        for song in songs:
            most = room
            if room is not None and audio_format in FULL_BIT_RATE:
                most = math.floor(room * _length(song) / total)
            encoded.append(
                await self._encoder.encode_each(
                    song.job, song.masters, song.where, audio_format, most, song.cover
                )
            )
        needed = sum(each.size_bytes for files in encoded for each in files)
        if room is not None and needed > room:
            raise DoesNotFit(needed_bytes=needed, max_bytes=room)
        return encoded

    async def _written(
        self,
        plan: ZipPlan,
        songs: Sequence[_Song],
        encoded: Sequence[Sequence[Encoded]],
        into: Path,
    ) -> ZipDelivery:
        entries = [
            ZipEntry(
                f"{song.folder}/{each.path.name}" if song.folder else each.path.name, each.path
            )
            for song, files in zip(songs, encoded, strict=True)
            for each in files
        ]
        keeper = plan.keeper
        async with self._writing:
            size_bytes = await asyncio.to_thread(
                write_archive, into / _ARCHIVE, entries, info=plan.info, at=keeper.created_at
            )
        every = [each for files in encoded for each in files]
        return ZipDelivery(
            filename=plan.filename,
            size_bytes=size_bytes,
            audio_format=every[0].format,
            sent=difference(keeper.request.audio_format, every),
        )


def _length(song: _Song) -> int:
    return max(1, song.job.frames or 0)
