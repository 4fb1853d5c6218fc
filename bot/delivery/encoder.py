"""Decides which stems are attached, in which message and at which rate, and which are linked."""

import asyncio
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bot.audio.tasks import DoesNotFit, Encoded
from bot.audio.tools import AudioTools
from bot.concurrency import gather_or_raise
from bot.delivery.port import DeliveryFile, DeliveryLink, Masters
from bot.domain.analysis import Analysis, Certainty
from bot.domain.guilds import DeliveryMode
from bot.domain.job import DeliveryDifference, Job
from bot.domain.minutes import SAMPLE_RATE
from bot.domain.recipes import AudioFormat, Stem
from bot.domain.renditions import UNCHANGED_PERCENT
from bot.domain.titles import linked_name, plain, stem_filename, stem_label
from bot.net.public_links import SignedLinks
from storage.files.atomic import move_into_place

MESSAGE_BYTES = 25 * 1024 * 1024
"""The limit for a message request with all its files. Discord allows ten files; six are used."""
OVERHEAD_BYTES = 512 * 1024
"""Reserved for the picture and the multipart envelope."""
ALL_FILES_BYTES = MESSAGE_BYTES - OVERHEAD_BYTES
TAG_BYTES = 16 * 1024
FULL_BIT_RATE = {AudioFormat.MP3: 192_000, AudioFormat.OPUS: 128_000}
"""Below these rates, in bit/s, the user is told that the rate was lowered."""
WAV_BYTES_A_FRAME = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLimits:
    """The size limits and options of a delivery."""

    limit_bytes: int
    """The limit for one file."""
    message_bytes: int = ALL_FILES_BYTES
    """The limit for all files of a message."""
    mode: DeliveryMode = DeliveryMode.AUTO
    messages: int = 1
    """The number of messages that the files may be spread over."""
    elsewhere: Mapping[Stem, DeliveryLink] = field(default_factory=dict)
    """Stems whose files at the provider already have the form to be delivered."""
    cover: Path | None = None
    """The song's cover, which is written into the tags where there is room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedDelivery:
    """Encoded stems, and how they differ from what was requested."""

    audio_format: AudioFormat
    files: tuple[DeliveryFile, ...] = ()
    more: tuple[DeliveryFile, ...] = ()
    """Files for a second message."""
    links: tuple[DeliveryLink, ...] = ()
    sent: DeliveryDifference | None = None


class DeliveryEncoder:
    """Encodes masters for a reply."""

    def __init__(self, *, audio: AudioTools, links: SignedLinks | None = None) -> None:
        """`links` signs our own links; None if there is no public address."""
        self._audio = audio
        self._links = links

    @property
    def makes_links(self) -> bool:
        """Whether stems that are too large for Discord can be delivered by link."""
        return self._links is not None

    async def encode(
        self, job: Job, masters: Masters, into: Path, linked: Path, terms: DeliveryLimits
    ) -> EncodedDelivery:
        """Encode all masters: attachments into `into`, and files for our links into `linked`.

        Raises DoesNotFit when even the smallest MP3 is too large and nothing can be linked.
        """
        if not await asyncio.to_thread(has_room_for_cover, job, masters, terms):
            terms = replace(terms, cover=None)
        if self._links is not None and terms.mode is DeliveryMode.LINKS:
            return await self._linked(self._links, job, masters, into, linked, terms)
        if self._links is not None and terms.mode is DeliveryMode.AUTO:
            return await self._whole(self._links, job, masters, into, linked, terms)
        if terms.mode is DeliveryMode.LINKS and terms.elsewhere:
            return await self._elsewhere(job, masters, into, terms)
        try:
            return await self._fitted(job, masters, into, terms)
        except DoesNotFit:
            if self._links is not None:
                return await self._linked(self._links, job, masters, into, linked, terms)
            if not terms.elsewhere:
                raise
            return await self._elsewhere(job, masters, into, terms)

    async def _linked(
        self,
        links: SignedLinks,
        job: Job,
        masters: Masters,
        into: Path,
        linked: Path,
        terms: DeliveryLimits,
    ) -> EncodedDelivery:
        """Link to every stem at full quality."""
        made = await gather_or_raise(
            self._link(links, job, each, into, linked, terms) for each in masters
        )
        return EncodedDelivery(audio_format=job.request.audio_format, links=tuple(made))

    async def _whole(
        self,
        links: SignedLinks,
        job: Job,
        masters: Masters,
        into: Path,
        linked: Path,
        terms: DeliveryLimits,
    ) -> EncodedDelivery:
        """Attach what fits at full quality, and link to the rest."""
        wanted = job.request.audio_format
        sizes = await asyncio.to_thread(full_sizes, job, masters, wanted)
        places = placed(sizes, terms)
        small = [each for each, place in zip(masters, places, strict=True) if place is not None]
        fullest = max(Counter(place for place in places if place is not None).values(), default=1)
        try:
            most = _most(wanted, fullest, terms)
            encoded = await self.encode_each(job, small, into, wanted, most, terms.cover)
        except DoesNotFit:  # a file is larger than estimated, so link to all
            return await self._linked(links, job, masters, into, linked, terms)
        files, more = _spread(small, encoded, terms)
        attached = {file.stem for file in (*files, *more)}
        rest = [each for each in masters if each[0] not in attached]
        made = await gather_or_raise(
            self._link(links, job, each, into, linked, terms) for each in rest
        )
        return EncodedDelivery(
            audio_format=wanted,
            files=files,
            more=more,
            links=tuple(made),
            sent=difference(wanted, encoded),
        )

    async def _fitted(
        self, job: Job, masters: Masters, into: Path, terms: DeliveryLimits
    ) -> EncodedDelivery:
        """Attach every stem: as requested, else at a lower rate, else as FLAC or MP3."""
        wanted = job.request.audio_format
        fullest = math.ceil(len(masters) / terms.messages)
        why_not = DoesNotFit(needed_bytes=0, max_bytes=terms.limit_bytes)
        for audio_format in _formats(wanted):
            most = _most(audio_format, fullest, terms)
            try:
                encoded = await self.encode_each(
                    job, masters, into, audio_format, most, terms.cover
                )
            except DoesNotFit as exc:
                why_not = exc
                continue
            files, more = _spread(masters, encoded, terms)
            if len(files) + len(more) == len(masters):
                sent = difference(wanted, encoded)
                return EncodedDelivery(audio_format=audio_format, files=files, more=more, sent=sent)
        raise why_not

    async def _elsewhere(
        self, job: Job, masters: Masters, into: Path, terms: DeliveryLimits
    ) -> EncodedDelivery:
        """Link to the stems that the provider holds, and attach the others."""
        links = tuple(terms.elsewhere[stem] for stem, _ in masters if stem in terms.elsewhere)
        rest = [each for each in masters if each[0] not in terms.elsewhere]
        if not rest:
            return EncodedDelivery(audio_format=job.request.audio_format, links=links)
        return replace(await self._fitted(job, rest, into, terms), links=links)

    async def _link(
        self,
        links: SignedLinks,
        job: Job,
        master: tuple[Stem, Path],
        into: Path,
        linked: Path,
        terms: DeliveryLimits,
    ) -> DeliveryLink:
        stem, _ = master
        wanted = job.request.audio_format
        name = linked_name(stem, wanted, job.request.rendition)
        if not await asyncio.to_thread((linked / name).exists):
            [encoded] = await self.encode_each(job, [master], into, wanted, None, terms.cover)
            await asyncio.to_thread(move_to_linked, encoded.path, linked / name)
        link = await links.to_result(job, name)
        return DeliveryLink(
            stem=stem,
            url=link.url,
            expires_at=link.expires_at,
            audio_format=job.request.audio_format,
        )

    async def encode_each(
        self,
        job: Job,
        masters: Masters,
        into: Path,
        audio_format: AudioFormat,
        max_bytes: int | None,
        cover: Path | None,
    ) -> list[Encoded]:
        """Encode every master into a file of at most `max_bytes`. Raises DoesNotFit."""
        return await gather_or_raise(
            self._audio.encode(
                master,
                into / stem_filename(job.title, stem, audio_format, job.request.rendition),
                format=audio_format,
                max_bytes=max_bytes,
                tags=_tags(job, stem),
                cover=cover,
            )
            for stem, master in masters
        )


def _formats(wanted: AudioFormat) -> tuple[AudioFormat, ...]:
    """Return the formats to try, in order; FLAC is as good as WAV."""
    match wanted:
        case AudioFormat.WAV:
            return (AudioFormat.WAV, AudioFormat.FLAC, AudioFormat.MP3)
        case _:
            return tuple(dict.fromkeys((wanted, AudioFormat.MP3)))


def full_sizes(job: Job, masters: Masters, audio_format: AudioFormat) -> list[int]:
    """Return the approximate size of each stem in a format, at full quality."""
    frames = _rendered_frames(job)
    match audio_format:
        case AudioFormat.FLAC:
            return [path.stat().st_size + TAG_BYTES for _, path in masters]
        case AudioFormat.WAV:
            size_bytes = frames * WAV_BYTES_A_FRAME
        case AudioFormat.MP3 | AudioFormat.OPUS:
            size_bytes = frames * FULL_BIT_RATE[audio_format] // (8 * SAMPLE_RATE)
    return [size_bytes + TAG_BYTES] * len(masters)


def has_room_for_cover(job: Job, masters: Masters, terms: DeliveryLimits) -> bool:
    """Return whether lossless files still fit into their messages with a cover in each.

    Lossy files are encoded at a lower rate to make room.
    """
    if terms.cover is None or job.request.audio_format is not AudioFormat.FLAC:
        return True
    sizes = full_sizes(job, masters, AudioFormat.FLAC)
    with_cover = [size + terms.cover.stat().st_size for size in sizes]
    return placed(with_cover, terms) == placed(sizes, terms)


def _rendered_frames(job: Job) -> int:
    """Return the length of the delivered sound, without the silence before a count-in."""
    return (job.frames or 0) * UNCHANGED_PERCENT // job.request.rendition.speed_percent


def placed(sizes: Sequence[int], terms: DeliveryLimits) -> list[int | None]:
    """Return the index of each file's message, or None for a file that fits into no message."""
    rooms = [terms.message_bytes] * terms.messages
    places: list[int | None] = []
    for size in sizes:
        most = terms.limit_bytes
        place = next((n for n, room in enumerate(rooms) if size <= min(room, most)), None)
        if place is not None:
            rooms[place] -= size
        places.append(place)
    return places


def _most(audio_format: AudioFormat, fullest: int, terms: DeliveryLimits) -> int:
    """Return the size limit of a file when the fullest message holds `fullest` files.

    Lossy files share a message evenly; files of other formats have fixed sizes.
    """
    if audio_format not in FULL_BIT_RATE:
        return terms.limit_bytes
    return min(terms.limit_bytes, terms.message_bytes // fullest)


def _spread(
    masters: Masters, encoded: Sequence[Encoded], terms: DeliveryLimits
) -> tuple[tuple[DeliveryFile, ...], tuple[DeliveryFile, ...]]:
    """Return the files of the first message and those of the second."""
    places = placed([each.size_bytes for each in encoded], terms)
    files = [_delivery_file(stem, each) for (stem, _), each in zip(masters, encoded, strict=True)]
    by_place = list(zip(places, files, strict=True))
    first = tuple(file for place, file in by_place if place == 0)
    return first, tuple(file for place, file in by_place if place == 1)


def _delivery_file(stem: Stem, encoded: Encoded) -> DeliveryFile:
    return DeliveryFile(
        path=encoded.path,
        filename=encoded.path.name,
        stem=stem,
        size_bytes=encoded.size_bytes,
    )


def difference(wanted: AudioFormat, encoded: Sequence[Encoded]) -> DeliveryDifference | None:
    """Return how the encoded files differ from the request; None if they do not."""
    others = {each.format for each in encoded} - {wanted}
    if others:
        is_flac = others == {AudioFormat.FLAC}
        return DeliveryDifference.FLAC_INSTEAD if is_flac else DeliveryDifference.MP3_INSTEAD
    full = FULL_BIT_RATE.get(wanted)
    if full and any(each.bit_rate is not None and each.bit_rate < full for each in encoded):
        return DeliveryDifference.LOWER_BIT_RATE
    return None


def _tags(job: Job, stem: Stem) -> dict[str, str]:
    """Return the song's tags; the artist is removed from the title if there is a tag for it."""
    by = f"{plain(job.artist)} - " if job.artist else ""
    tags = {
        "title": f"{job.title.removeprefix(by)} ({stem_label(stem)})",
        "artist": job.artist,
        "album": job.album,
        **_heard(job),
    }
    return {name: text for name, text in tags.items() if text}


def _heard(job: Job) -> dict[str, str]:
    """Return the key and the tempo of the delivered sound, where they are likely."""
    heard = job.heard or Analysis()
    tags = {}
    if heard.key is not None and heard.key.certainty is Certainty.LIKELY:
        tags["key"] = heard.key.key.tag
    if heard.tempo is not None and heard.tempo.octave_bpm is None:
        tags["bpm"] = str(round(heard.tempo.bpm))
    return tags


def move_to_linked(file: Path, into: Path) -> None:
    """Move a file for a link into place."""
    into.parent.mkdir(mode=0o700, exist_ok=True)
    # Not synced: after a power loss the file is encoded again from its master.
    move_into_place(file, into, durable=False)
