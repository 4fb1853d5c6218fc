"""How stems are encoded so that they fit one message: rates first, then another format."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.audio.tasks import DoesNotFit, Encoded
from bot.audio.tools import AudioTools
from bot.domain.job import Job
from bot.domain.stems import AudioFormat, Stem
from bot.services.delivery import ParcelFile
from bot.services.naming import stem_filename, stem_label
from bot.services.together import together

MESSAGE_BYTES = 25 * 1024 * 1024
"""A whole message request; all its files share it."""
OVERHEAD_BYTES = 512 * 1024
"""Kept free for the picture and the multipart envelope."""
FULL_BIT_RATE = {AudioFormat.MP3: 192_000, AudioFormat.OPUS: 128_000}
"""Below this the user is told that the rate had to be lowered."""

Masters = Sequence[tuple[Stem, Path]]


@dataclass(frozen=True, slots=True)
class Packed:
    """Encoded stems that fit, and what they differ in from the request."""

    audio_format: AudioFormat
    files: tuple[ParcelFile, ...]
    sent: str | None


class Packer:
    """Encodes masters for one message."""

    def __init__(self, *, audio: AudioTools) -> None:
        self._audio = audio

    async def pack(self, job: Job, masters: Masters, into: Path, *, limit_bytes: int) -> Packed:
        """Encode all masters in the format asked for, or as MP3 where that cannot fit.

        Raises DoesNotFit when even the smallest MP3 is too large.
        """
        share = (MESSAGE_BYTES - OVERHEAD_BYTES) // len(masters)
        max_bytes = min(limit_bytes, share)
        wanted = job.request.audio_format
        try:
            encoded = await self._encode(job, masters, into, wanted, max_bytes)
        except DoesNotFit:
            if wanted is AudioFormat.MP3:
                raise
            encoded = await self._encode(job, masters, into, AudioFormat.MP3, max_bytes)
        return Packed(
            encoded[0].format,
            tuple(map(_parcel_file, (stem for stem, _ in masters), encoded)),
            _difference(wanted, encoded),
        )

    async def _encode(
        self, job: Job, masters: Masters, into: Path, audio_format: AudioFormat, max_bytes: int
    ) -> list[Encoded]:
        return await together(
            self._audio.encode(
                master,
                into / stem_filename(job.title, stem, audio_format),
                format=audio_format,
                max_bytes=max_bytes,
                tags={"title": f"{job.title} ({stem_label(stem)})"},
            )
            for stem, master in masters
        )


def _parcel_file(stem: Stem, encoded: Encoded) -> ParcelFile:
    return ParcelFile(
        path=encoded.path,
        filename=encoded.path.name,
        stem=stem,
        size_bytes=encoded.size_bytes,
    )


def _difference(wanted: AudioFormat, encoded: Sequence[Encoded]) -> str | None:
    if encoded[0].format is not wanted:
        return "mp3_instead"
    full = FULL_BIT_RATE.get(wanted)
    if full and any(each.bit_rate is not None and each.bit_rate < full for each in encoded):
        return "lower_bit_rate"
    return None
