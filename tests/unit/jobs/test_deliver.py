"""The work done for deliveries while the reply is unavailable."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.audio.analysis_task import Role
from bot.audio.rendition_tasks import Rendered, RenderedOutput
from bot.audio.tasks import Encoded
from bot.delivery.port import Delivery, DeliveryLink, Refused, ReplyUnavailable
from bot.domain.analysis import Analysis
from bot.domain.errors import AudioFailed
from bot.domain.job import DeliveryDifference, Job, State
from bot.domain.recipes import AudioFormat, Stem
from bot.domain.renditions import Rendition
from tests.support.fakes import FakeAudio, FakeClock
from tests.support.harness import Harness


class CountingAudio(FakeAudio):
    """Counts encoded stems and drawn pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.encodes: Counter[str] = Counter()
        self.pictures = 0
        self.analysis_dies = self.analysis_hangs = False
        self.render_failures: list[Exception] = []
        """The errors that the next renditions raise."""

    async def analyse(self, stems: Sequence[tuple[Path, Role]]) -> Analysis:
        if self.analysis_dies:
            raise AudioFailed("killed")
        if self.analysis_hangs:
            await asyncio.Event().wait()
        return await super().analyse(stems)

    async def render(self, outputs: Sequence[RenderedOutput], **options: Any) -> Rendered:
        if self.render_failures:
            raise self.render_failures.pop()
        return await super().render(outputs, **options)

    async def encode(self, stem: Path, into: Path, **options: Any) -> Encoded:
        self.encodes[stem.stem] += 1
        return await super().encode(stem, into, **options)

    async def picture(self, stems: Sequence[tuple[str, Path]], into: Path) -> Path:
        self.pictures += 1
        return await super().picture(stems, into)


@pytest.fixture
def audio() -> CountingAudio:
    return CountingAudio()


@pytest.fixture
async def harness(tmp_path: Path, audio: CountingAudio) -> AsyncIterator[Harness]:
    built = await Harness.build(tmp_path, audio=audio)  # type: ignore[arg-type] # fits by shape
    yield built
    await built.close()


async def delivered(harness: Harness) -> Job:
    job = await harness.split()
    return await harness.until(job.id, is_awake=True, within_s=30)


async def test_a_retried_delivery_encodes_nothing_again(
    harness: Harness, audio: CountingAudio
) -> None:
    harness.delivery.answers = [ReplyUnavailable("down")] * 10
    assert (await delivered(harness)).state is State.DELIVERED
    assert len(harness.delivery.shown) == 11
    assert audio.encodes == {"vocals": 1, "instrumental": 1}
    assert audio.pictures == 1


@pytest.mark.parametrize(
    "refused", [Refused("40005", too_large=True), Refused("no second message", one_only=True)]
)
async def test_a_delivery_refused_for_its_size_is_encoded_again(
    harness: Harness, audio: CountingAudio, refused: Refused
) -> None:
    harness.delivery.answers = [refused]
    assert (await delivered(harness)).state is State.DELIVERED
    assert audio.encodes == {"vocals": 2, "instrumental": 2}


async def test_encoded_files_that_somebody_removed_are_made_again(
    harness: Harness, audio: CountingAudio
) -> None:
    harness.delivery.answers = [ReplyUnavailable("down"), FileNotFoundError("gone")]
    assert (await delivered(harness)).state is State.DELIVERED
    assert audio.encodes == {"vocals": 2, "instrumental": 2}


async def test_a_retried_delivery_shows_the_minutes_that_are_left_now(harness: Harness) -> None:
    harness.delivery.answers = [ReplyUnavailable("down")]
    job = await harness.split()
    while not harness.delivery.shown:
        await asyncio.sleep(0.005)
    other = await harness.split()
    await harness.until(other.id, is_awake=True)
    await harness.until(job.id, is_awake=True)
    usages = [each.usage for each_job, each in harness.delivery.shown if each_job.id == job.id]
    assert [usage.left for usage in usages if usage is not None] == [56, 52]


def test_a_delivery_has_ended_with_the_first_of_its_links() -> None:
    now = FakeClock().now()
    link = DeliveryLink(stem=Stem.VOCALS, url="https://x", audio_format=None, expires_at=now)
    endless = DeliveryLink(stem=Stem.DRUMS, url="https://y", audio_format=None, expires_at=None)
    delivery = Delivery(files=(), links=(endless, link), picture=None, audio_format=AudioFormat.MP3)
    assert delivery.has_ended(now)
    assert not delivery.has_ended(now - timedelta(seconds=1))


async def test_stems_whose_rendition_keeps_failing_are_delivered_as_they_are(
    harness: Harness, audio: CountingAudio
) -> None:
    audio.render_error = AudioFailed("killed")
    job = await harness.split(rendition=Rendition(cents=-200))
    job = await harness.until(job.id, is_awake=True, within_s=30)
    [(_, delivery)] = harness.delivery.shown
    assert (job.state, job.sent) == (State.DELIVERED, DeliveryDifference.NOT_RENDERED)
    assert len(delivery.files) == 2


async def test_a_rendition_that_fails_once_is_rendered_again(
    harness: Harness, audio: CountingAudio
) -> None:
    audio.render_failures = [AudioFailed("killed")]
    job = await harness.split(rendition=Rendition(cents=-200))
    job = await harness.until(job.id, is_awake=True, within_s=30)
    assert (job.state, job.sent) == (State.DELIVERED, None)
    assert len(audio.renders) == 1


@pytest.mark.parametrize("trouble", ["analysis_dies", "analysis_hangs"])
async def test_an_analysis_that_dies_or_hangs_fails_no_delivery(
    harness: Harness, audio: CountingAudio, trouble: str
) -> None:
    setattr(audio, trouble, True)
    audio.is_analysing = True  # so that the masters are analysed instead of the spools
    job = await delivered(harness)
    assert (job.state, job.analysis) == (State.DELIVERED, None)
    await harness.services.analyser.stop()
