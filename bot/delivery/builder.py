"""Builds a delivery from masters: encoded files or links, and a picture."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bot.accounts.admission import GuildAdmission
from bot.audio.tools import AudioTools
from bot.concurrency import both
from bot.delivery.encoder import (
    ALL_FILES_BYTES,
    DeliveryEncoder,
    DeliveryLimits,
    full_sizes,
    placed,
)
from bot.delivery.port import Delivery, DeliveryLink, Masters
from bot.delivery.provider_links import ProviderLinks
from bot.delivery.stem_renderer import StemRenderer
from bot.domain.errors import AudioFailed
from bot.domain.guilds import DeliveryMode
from bot.domain.job import Job
from bot.domain.recipes import AudioFormat, Stem
from bot.domain.titles import stem_label
from bot.net.public_links import SignedLinks
from bot.scheduling.model_lookup import ModelLookup
from storage.files.job_files import JobDir, JobFiles

log = logging.getLogger(__name__)

PICTURE = "waveforms.png"
SHRINK = 0.6
"""Multiplies the size limits after each message that Discord refuses as too large."""
MAX_SHRINKS = 3
LINKED_RENDITIONS = 4
"""The linked renditions kept for each job; the links of older renditions expire early."""

OFFERED = (AudioFormat.MP3, AudioFormat.FLAC, AudioFormat.WAV)
"""The formats in which a card can offer the stems again."""


class DeliveryBuilder:
    """Builds deliveries from jobs' masters."""

    def __init__(
        self,
        *,
        audio: AudioTools,
        encoder: DeliveryEncoder,
        renderer: StemRenderer,
        models: ModelLookup,
        files: JobFiles,
        links: SignedLinks | None,
        provider_links: ProviderLinks,
        admission: GuildAdmission,
        mode: DeliveryMode,
    ) -> None:
        """`mode` is the installation's default; a server's rules may override it."""
        self._audio = audio
        self._encoder = encoder
        self._renderer = renderer
        self._models = models
        self._files = files
        self._links = links
        self._provider_links = provider_links
        self._admission = admission
        self._mode = mode

    async def build(
        self,
        job: Job,
        where: JobDir,
        into: Path,
        *,
        limit_bytes: int,
        shrinks: int = 0,
        messages: int = 1,
    ) -> Delivery:
        """Encode the job's masters into `into`, within limits that are lowered `shrinks` times.

        Files may be spread over `messages` messages. Raises DoesNotFit when no form is small
        enough, and the errors of StemRenderer.
        """
        masters = await self._renderer.render(
            job, [(stem, where.master(stem)) for stem in job.stems], into
        )
        rules = await self._admission.rules(job.reply.guild_id)
        left = SHRINK**shrinks
        terms = DeliveryLimits(
            limit_bytes=int(limit_bytes * left),
            message_bytes=int(ALL_FILES_BYTES * left),
            mode=rules.delivery or self._mode,
            messages=messages,
            elsewhere=await self._elsewhere(job),
            cover=where.cover if await asyncio.to_thread(where.cover.exists) else None,
        )
        packed, picture = await both(
            self._encoder.encode(job, masters, into, where.linked, terms),
            self._draw(masters, into / PICTURE),
        )
        if packed.links and not job.request.rendition.is_plain:
            await self._files.drop_old_renditions(job.id, keep=LINKED_RENDITIONS)
        return Delivery(
            files=packed.files,
            more=packed.more,
            links=packed.links,
            picture=picture,
            audio_format=packed.audio_format,
            alternatives=await self._alternatives(job, masters, packed.audio_format, terms),
            sent=packed.sent,
            mixer_url=await self._mixer_url(job),
            model=await self._model_title(job),
        )

    async def _mixer_url(self, job: Job) -> str | None:
        link = await self._links.to_mixer(job) if self._links else None
        return link.url if link else None

    async def _model_title(self, job: Job) -> str | None:
        model = await self._models.model_of(job)
        return model.title if model and model.title else None

    async def _elsewhere(self, job: Job) -> Mapping[Stem, DeliveryLink]:
        """Return the stems whose files at the provider already have the form to be delivered."""
        return await self._provider_links.of(job) if job.request.rendition.is_plain else {}

    async def _draw(self, masters: Masters, into: Path) -> Path | None:
        rows = [(stem_label(stem), path) for stem, path in masters]
        try:
            return await self._audio.picture(rows, into)
        except AudioFailed as exc:
            log.warning("no picture: %s", exc)  # the stems matter more than their picture
            return None

    async def _alternatives(
        self, job: Job, masters: Masters, made: AudioFormat, terms: DeliveryLimits
    ) -> tuple[AudioFormat, ...]:
        """Return the other formats in which all stems can be delivered.

        Without links, WAV and FLAC are left out where the stems do not fit into one message.
        """
        others = [each for each in OFFERED if each is not made]
        if self._encoder.makes_links and terms.mode is not DeliveryMode.FILES:
            return tuple(others)
        fit, alone = [], replace(terms, messages=1)  # redelivered results get one message
        for audio_format in others:
            sizes = await asyncio.to_thread(full_sizes, job, masters, audio_format)
            if audio_format is AudioFormat.MP3 or None not in placed(sizes, alone):
                fit.append(audio_format)
        return tuple(fit)
