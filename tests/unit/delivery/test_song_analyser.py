"""Analyses are made once, stored, and waited for only briefly."""

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from bot.delivery.song_analyser import SongAnalyser
from bot.domain.analysis import Analysis, TempoEstimate
from bot.domain.errors import AudioFailed
from bot.domain.job import Job, State
from bot.domain.recipes import Stem
from storage.stores.job_store import JobStore
from tests.support.domain_factories import a_job, lead

HEARD = Analysis(tempo=TempoEstimate(bpm=96.0))
MASTERS = [(Stem.VOCALS, Path("vocals.flac")), (Stem.DRUMS, Path("drums.flac"))]


@dataclass
class Ears:
    """Returns the same analysis for every song, once the gate is open."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    error: Exception | None = None
    asked: int = 0

    async def analyse(self, stems: Any) -> Analysis:
        self.asked += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return HEARD


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def analyser(ears: Ears, jobs: JobStore) -> SongAnalyser:
    audio: Any = ears
    return SongAnalyser(audio=audio, jobs=jobs)


async def stored(jobs: JobStore, job: Job) -> Analysis | None:
    found = await jobs.get(job.id)
    assert found is not None
    return found.analysis


async def test_what_was_heard_is_returned_and_stored(
    analyser: SongAnalyser, ears: Ears, jobs: JobStore
) -> None:
    ears.gate.set()
    job = await lead(jobs, State.READY)
    assert await analyser.analysis_of(job, MASTERS, within_s=10) == HEARD
    assert await stored(jobs, job) == HEARD


async def test_a_slow_analysis_is_left_to_the_background_and_stored_when_it_is_done(
    analyser: SongAnalyser, ears: Ears, jobs: JobStore
) -> None:
    job = await lead(jobs, State.READY)
    assert await analyser.analysis_of(job, MASTERS, within_s=0) is None
    assert await analyser.analysis_of(job, MASTERS, within_s=0) is None
    analyser.forget(job.id)
    ears.gate.set()
    async with asyncio.timeout(10):
        while await stored(jobs, job) is None:
            await asyncio.sleep(0)
    assert ears.asked == 1


async def test_a_failure_is_no_analysis(analyser: SongAnalyser, ears: Ears, jobs: JobStore) -> None:
    ears.error = AudioFailed("the child died")
    ears.gate.set()
    job = await lead(jobs, State.READY)
    assert await analyser.analysis_of(job, MASTERS, within_s=10) is None
    assert await stored(jobs, job) is None


async def test_known_songs_are_not_measured_again(
    analyser: SongAnalyser, ears: Ears, jobs: JobStore
) -> None:
    first = await lead(jobs, State.DELIVERED)
    await jobs.note_analysis(first.id, HEARD)
    repeat = replace(await lead(jobs, State.READY), repeat_of=first.id)
    assert await analyser.analysis_of(repeat, MASTERS, within_s=10) == HEARD
    assert await analyser.analysis_of(a_job(analysis=HEARD), MASTERS, within_s=0) == HEARD
    assert ears.asked == 0


async def test_a_stop_cancels_what_is_under_way(analyser: SongAnalyser, jobs: JobStore) -> None:
    left, forgotten = await lead(jobs, State.READY), await lead(jobs, State.READY)
    for job in (left, forgotten):
        assert await analyser.analysis_of(job, MASTERS, within_s=0) is None
    analyser.forget(forgotten.id)
    async with asyncio.timeout(10):
        await analyser.stop()
    assert await stored(jobs, left) is None
