"""Collecting results: whose model they are of, and the analysis while they are mixed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from bot.audio.analysis_task import Role
from bot.audio.tasks import Combined, Mix, Part
from bot.domain.analysis import Analysis, TempoEstimate
from bot.domain.attempt import RemoteRef
from bot.domain.errors import AudioFailed
from bot.domain.job import Job, State
from bot.jobs import collect
from bot.providers.interface import Failed, Finished, Lost, Model, Running
from tests.support.fakes import TWO_STEMS, FakeAudio, FakeProvider
from tests.support.harness import Harness


class Forgetful(FakeProvider):
    """A provider that declares another model once it has finished a song."""

    async def poll(self, ref: RemoteRef) -> Running | Finished | Failed | Lost:
        answer = await super().poll(ref)
        other = replace(TWO_STEMS, name="other")
        self.capabilities = replace(self.capabilities, models=(other,))
        return answer


class Remembering(Forgetful):
    async def model_of(self, ref: RemoteRef) -> Model | None:
        return {"fake-1": TWO_STEMS}.get(ref)


@pytest.mark.parametrize(
    ("provider", "outcome"), [(Remembering, State.DELIVERED), (Forgetful, State.FAILED)]
)
async def test_a_result_of_a_model_that_is_declared_no_more_is_collected_if_it_is_remembered(
    provider: type[FakeProvider], outcome: State, tmp_path: Path
):
    harness = await Harness.build(tmp_path, provider())
    job = await harness.until((await harness.split()).id)
    await harness.close()
    assert job.state is outcome


HEARD = Analysis(tempo=TempoEstimate(bpm=96.0))
HEARD_LATER = Analysis(tempo=TempoEstimate(bpm=97.0))


@dataclass
class Ears(FakeAudio):
    """Analyses spools only while it mixes, and records what it analyses."""

    heard: Analysis = HEARD_LATER
    error: Exception | None = None
    hangs: bool = False
    mix_error: Exception | None = None
    is_mixing: asyncio.Event = field(default_factory=asyncio.Event)
    is_listening: asyncio.Event = field(default_factory=asyncio.Event)
    roles: list[Role] = field(default_factory=list)
    masters_heard: int = 0
    given_up: int = 0

    async def combine(self, mixes: Sequence[Mix], *, frames: int | None = None) -> Combined:
        self.is_mixing.set()
        if not self.is_analysing:
            await self.is_listening.wait()
        if self.mix_error is not None:
            error, self.mix_error = self.mix_error, None
            raise error
        return await super().combine(mixes, frames=frames)

    async def analyse_mixes(
        self, mixes: Sequence[tuple[Sequence[Part], Role]], *, frames: int
    ) -> Analysis:
        self.roles = [role for _, role in mixes]
        self.is_listening.set()
        await self.is_mixing.wait()
        if self.error is not None:
            raise self.error
        if self.hangs:
            try:
                await asyncio.Event().wait()
            finally:
                self.given_up += 1
        return HEARD

    async def analyse(self, stems: Sequence[tuple[Path, Role]]) -> Analysis:
        self.masters_heard += 1
        return await super().analyse(stems)


async def collected(root: Path, ears: Ears) -> Job:
    audio: Any = ears
    harness = await Harness.build(root, audio=audio)
    job = await harness.until((await harness.split()).id, is_awake=True, within_s=30)
    await harness.close()
    assert job.state is State.DELIVERED
    return job


async def test_a_song_is_analysed_while_its_masters_are_mixed(tmp_path: Path) -> None:
    ears = Ears()
    job = await collected(tmp_path, ears)
    assert job.analysis == HEARD
    assert sorted(ears.roles) == [Role.EVERYTHING, Role.VOCALS]
    assert ears.masters_heard == 0


async def test_an_analysis_that_fails_is_made_from_the_masters(tmp_path: Path) -> None:
    ears = Ears(error=AudioFailed("killed"))
    assert (await collected(tmp_path, ears)).analysis == HEARD_LATER


async def test_an_analysis_that_hangs_is_given_up_and_made_from_the_masters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "SPOOL_ANALYSIS_WITHIN_S", 0.01)
    ears = Ears(hangs=True)
    assert (await collected(tmp_path, ears)).analysis == HEARD_LATER
    assert ears.given_up == 1


async def test_a_song_does_not_wait_for_the_analysis_of_another(tmp_path: Path) -> None:
    ears = Ears(is_analysing=True)
    assert (await collected(tmp_path, ears)).analysis == HEARD_LATER
    assert not ears.is_listening.is_set()


async def test_an_analysis_ends_with_a_mix_that_fails(tmp_path: Path) -> None:
    ears = Ears(hangs=True, mix_error=AudioFailed("killed"))
    audio: Any = ears
    harness = await Harness.build(tmp_path, audio=audio)
    job = await harness.split()
    async with asyncio.timeout(30):
        while not ears.given_up:
            await asyncio.sleep(0.005)
    assert (await harness.job(job.id)).state is State.PROCESSING
    await harness.close()
