"""All stems in one file: attached, linked or refused, depending on size."""

import asyncio
import time
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.audio.tasks import DoesNotFit, Encoded
from bot.delivery import zip_builder
from bot.delivery.port import ZipDelivery
from bot.delivery.zip_builder import ZipPlan
from bot.domain.errors import Reason, Rejected
from bot.domain.job import DeliveryDifference, Job, JobId, State
from bot.domain.recipes import AudioFormat, Recipe
from bot.domain.renditions import UNCHANGED, Rendition
from bot.domain.titles import linked_zip_name, zip_filename
from tests.support.fakes import FakeAudio, FakeProvider
from tests.support.harness import Harness
from tests.unit.delivery.test_encoder import PUBLIC, RATES, SIX

MIB = 1024 * 1024
LIMIT = 10 * MIB


@dataclass
class RatedAudio(FakeAudio):
    """Makes files of realistic sizes, full of zeros: MP3 by bit rate, FLAC as half of PCM."""

    async def encode(self, stem: Path, into: Path, **asked: Any) -> Encoded:
        most = asked["max_bytes"]
        pcm = int(self.duration_s * 176_400)
        is_wav = asked["format"] is AudioFormat.WAV
        sizes: list[tuple[int, int | None]] = [(pcm if is_wav else pcm // 2, None)]
        if asked["format"] is AudioFormat.MP3:
            sizes = [(int(rate / 8 * self.duration_s), rate) for rate in RATES]
        for size_bytes, bit_rate in sizes:
            if most is None or size_bytes <= most:
                with into.open("wb") as file:
                    file.truncate(size_bytes)
                return Encoded(
                    path=into, size_bytes=size_bytes, format=asked["format"], bit_rate=bit_rate
                )
        raise DoesNotFit(needed_bytes=sizes[-1][0], max_bytes=most or 0)


@asynccontextmanager
async def split(
    root: Path, *, minutes: float = 4, **settings: Any
) -> AsyncIterator[tuple[Harness, Job]]:
    audio: Any = RatedAudio(duration_s=minutes * 60)
    harness = await Harness.build(
        root, FakeProvider(models=(SIX,), poll_interval_s=0.01), audio=audio, **settings
    )
    harness.audio = audio
    try:
        job = await harness.until((await harness.split(recipe=Recipe.SIX_STEMS)).id)
        assert job.state is State.DELIVERED
        await harness.until_idle()  # it deletes its own files
        yield harness, job
    finally:
        await harness.close()


def plan_for(job: Job) -> ZipPlan:
    request = job.request
    return ZipPlan(
        songs=(job,),
        folders=("",),
        info="Neon Rain\r\n",
        filename=zip_filename(job.title, request.rendition),
        linked_name=linked_zip_name(request.audio_format, request.rendition),
    )


async def zipped(harness: Harness, job: Job, **asked: Any) -> tuple[ZipDelivery, dict[str, int]]:
    """Put the stems into one file; return the file and, if attached, its entries' sizes."""
    async with harness.services.redelivery.zipped(
        plan_for(job), name="1", limit_bytes=LIMIT, **asked
    ) as made:
        if made.file is None:
            return made, {}
        assert made.file.stat().st_size == made.size_bytes
        with zipfile.ZipFile(made.file) as archive:
            return made, {each.filename: each.file_size for each in archive.infolist()}


async def test_six_stems_fit_at_a_lower_rate(tmp_path: Path) -> None:
    async with split(tmp_path, minutes=2) as (harness, job):
        made, content = await zipped(harness, job)
        assert made.filename == "Neon Rain (Stems).zip"
        assert made.size_bytes <= LIMIT
        assert made.sent is DeliveryDifference.LOWER_BIT_RATE
        assert sorted(content) == [
            "Neon Rain (Bass).mp3",
            "Neon Rain (Drums).mp3",
            "Neon Rain (Guitar).mp3",
            "Neon Rain (Other).mp3",
            "Neon Rain (Piano).mp3",
            "Neon Rain (Vocals).mp3",
            "info.txt",
        ]


async def test_one_file_is_written_at_a_time_so_that_other_work_finds_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = most = 0

    def slow(into: Path, *_: Any, **__: Any) -> int:
        nonlocal writing, most
        writing += 1
        most = max(most, writing)
        time.sleep(0.02)  # long enough for a second thread to begin
        writing -= 1
        return into.write_bytes(b"zip")

    monkeypatch.setattr(zip_builder, "write_archive", slow)
    async with split(tmp_path, minutes=0.1) as (harness, job):

        async def zip_as(name: str) -> None:
            redelivery = harness.services.redelivery
            async with redelivery.zipped(plan_for(job), name=name, limit_bytes=LIMIT):
                pass

        await asyncio.gather(*(zip_as(str(number)) for number in range(6)))
    assert most == 1


async def test_the_file_gets_smaller_each_time_discord_refuses_it(tmp_path: Path) -> None:
    async with split(tmp_path, minutes=1) as (harness, job):
        sizes = [
            (await zipped(harness, job, shrinks=shrinks))[0].size_bytes for shrinks in range(2)
        ]
        assert sizes[1] <= LIMIT * 0.6 < sizes[0]


@pytest.mark.parametrize(
    "settings", [{}, {**PUBLIC, "delivery": "files"}], ids=["without links", "links as a last way"]
)
async def test_a_wav_that_is_too_large_is_flac_where_that_fits(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    async with split(tmp_path, minutes=0.25, **settings) as (harness, job):
        made, content = await zipped(harness, job.asked_as(audio_format=AudioFormat.WAV))
        assert (made.audio_format, made.sent) == (AudioFormat.FLAC, DeliveryDifference.FLAC_INSTEAD)
        assert sum(name.endswith(".flac") for name in content) == 6
        assert not any(name.endswith(".wav") for name in content)


async def test_a_wav_that_is_too_large_is_linked_where_links_are(tmp_path: Path) -> None:
    async with split(tmp_path, minutes=0.25, **PUBLIC) as (harness, job):
        made, _ = await zipped(harness, job.asked_as(audio_format=AudioFormat.WAV))
        assert made.url is not None
        assert made.url.endswith("/all-wav.plain.zip")


async def test_what_does_not_fit_is_refused_without_links(tmp_path: Path) -> None:
    async with split(tmp_path, minutes=2) as (harness, job):
        with pytest.raises(DoesNotFit):
            await zipped(harness, job.asked_as(audio_format=AudioFormat.FLAC))
        assert not any(harness.files.of(job.id).parcel.iterdir())


async def test_what_does_not_fit_is_linked_at_full_quality(tmp_path: Path) -> None:
    async with split(tmp_path, minutes=2, **PUBLIC) as (harness, job):
        made, _ = await zipped(harness, job.asked_as(audio_format=AudioFormat.FLAC))
        assert made.url is not None
        assert made.url.endswith("/all-flac.plain.zip")
        kept = harness.files.of(job.id).linked / "all-flac.plain.zip"
        assert kept.stat().st_size == made.size_bytes
        again, _ = await zipped(harness, job.asked_as(audio_format=AudioFormat.FLAC))
        assert (again.url, again.size_bytes) == (made.url, made.size_bytes)
        await harness.services.redelivery.discard(job)
        assert not kept.exists()


async def test_what_does_not_fit_is_rendered_only_once(tmp_path: Path) -> None:
    async with split(tmp_path, minutes=2, **PUBLIC) as (harness, job):
        asked = job.asked_as(audio_format=AudioFormat.FLAC, rendition=Rendition(cents=100))
        made, _ = await zipped(harness, asked)
        assert made.url is not None
        assert len(harness.audio.renders) == 1


async def test_links_of_old_renditions_make_room_for_new_ones(tmp_path: Path) -> None:
    async with split(tmp_path, minutes=0.5, delivery="links", **PUBLIC) as (harness, job):
        where = harness.files.of(job.id).linked
        for cents in range(100, 800, 100):
            await zipped(harness, job.asked_as(rendition=Rendition(cents=cents)))
        kept = sorted(each.name for each in where.glob("*.zip"))
        assert len(kept) == 4
        assert "all-mp3.k7.zip" in kept
        assert "all-mp3.k1.zip" not in kept


async def test_a_zip_without_room_on_the_disk_is_refused(tmp_path: Path) -> None:
    async with split(tmp_path, minutes=1, max_disk_gib=0.3, max_duration_minutes=1) as (
        harness,
        job,
    ):
        await harness.until_idle()
        harness.clock.move(seconds=60)
        harness.runtimes.open(JobId("other")).promised_bytes = 290 * MIB
        with pytest.raises(Rejected) as refusal:
            async with harness.services.redelivery.zipped(
                plan_for(job.asked_as(audio_format=AudioFormat.WAV, rendition=UNCHANGED)),
                name="1",
                limit_bytes=LIMIT,
            ):
                pytest.fail("there is no room")
        assert refusal.value.problem.reason is Reason.DISK_FULL
