"""Jobs are delivered even if their machine loses its disk, or their store becomes unavailable."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.audio.spool import FRAME_BYTES
from bot.audio.tasks import Decoded
from bot.delivery.port import ReplyUnavailable
from bot.domain.attempt import RemoteFile
from bot.domain.errors import ObjectStoreUnavailable, Reason
from bot.domain.job import Job, State
from bot.domain.minutes import SAMPLE_RATE
from storage.objects.object_store import MARKER
from tests.support.fakes import FakeAudio, FakeDownloads, FakeProvider
from tests.support.harness import Harness
from tests.support.object_stores import LeavingStore, folder_store

LOSSES = (State.HELD, State.PROCESSING, State.READY)


class SpoolingAudio(FakeAudio):
    """Writes spools as long as their songs."""

    def __init__(self) -> None:
        super().__init__(duration_s=4)
        self.decodes = 0

    async def decode(
        self, source: Path, into: Path, *, max_duration_s: float, cover: Path | None = None
    ) -> Decoded:
        self.decodes += 1
        assert source.stat().st_size
        decoded = await super().decode(source, into, max_duration_s=max_duration_s, cover=cover)
        with into.open("r+b") as spool:
            spool.truncate(int(self.duration_s * SAMPLE_RATE) * FRAME_BYTES)
        return decoded


class CountingProvider(FakeProvider):
    """Counts fetched results, and needs the song as the embedded engine does."""

    def __init__(self) -> None:
        super().__init__()
        self.fetches = 0

    async def fetch(self, file: RemoteFile, into: Path) -> None:
        assert self.sources[-1].mixture.stat().st_size if self.sources else True
        self.fetches += 1
        await super().fetch(file, into)


@pytest.fixture
def share(tmp_path: Path) -> Path:
    return tmp_path / "share"


@pytest.fixture
def store(share: Path) -> LeavingStore:
    return LeavingStore(folder_store(share))


@pytest.fixture
def audio() -> SpoolingAudio:
    return SpoolingAudio()


@pytest.fixture
async def harness(
    tmp_path: Path, store: LeavingStore, audio: SpoolingAudio
) -> AsyncIterator[Harness]:
    harness = await opened(tmp_path, store, audio)
    yield harness
    await harness.close()


async def opened(root: Path, store: LeavingStore, audio: SpoolingAudio) -> Harness:
    return await Harness.build(root, CountingProvider(), audio=audio, objects=store)  # type: ignore[arg-type] # fakes match by shape


async def stepped_to(harness: Harness, state: State) -> Job:
    """Take a new job to a state, step by step, without its runner."""
    received = await harness.receive()
    await harness.jobs.acknowledge(received.id, harness.clock.now(), message_id=70)
    for _ in range(10):
        job = await harness.job(received.id)
        if job.state is state:
            return job
        await harness.advance(job.id)
    raise AssertionError(f"it is {job.state}")


def lose_disk(harness: Harness) -> None:
    for folder in (harness.root / "jobs").iterdir():
        shutil.rmtree(folder)


def stored(share: Path) -> set[str]:
    return {str(path.relative_to(share)) for path in share.rglob("*") if path.is_file()} - {MARKER}


@pytest.mark.parametrize("state", LOSSES)
async def test_a_bot_that_loses_its_folder_delivers(
    state: State,
    harness: Harness,
    audio: SpoolingAudio,
    store: LeavingStore,
    tmp_path: Path,
    share: Path,
):
    job = await stepped_to(harness, state)
    await harness.close()
    lose_disk(harness)
    second = await opened(tmp_path, store, audio)
    await second.resume()
    delivered = await second.until(job.id)
    assert delivered.state is State.DELIVERED
    await second.until_idle()
    assert (await second.usage()).used == 1
    assert audio.decodes == (3 if state is State.READY else 4)  # two of them are results
    assert isinstance(second.downloads, FakeDownloads)
    assert second.downloads.urls == []
    assert len(second.provider.submits) == (1 if state is State.HELD else 0)
    assert {key.split("/")[2] for key in stored(share)} == {"masters"}
    await second.close()


def _results(harness: Harness) -> int:
    provider = harness.provider
    assert isinstance(provider, CountingProvider)
    return provider.fetches


async def test_a_song_that_is_in_no_store_is_downloaded_again(
    harness: Harness, audio: SpoolingAudio, share: Path
):
    harness.downloads.song = b"the same each time"
    job = await stepped_to(harness, State.HELD)
    lose_disk(harness)
    shutil.rmtree(share / "jobs")
    harness.services.runner.run(job.id)
    assert (await harness.until(job.id)).state is State.DELIVERED
    assert len(harness.downloads.urls) == 2


async def test_another_song_at_its_address_is_not_split(harness: Harness, share: Path):
    job = await stepped_to(harness, State.HELD)
    lose_disk(harness)
    shutil.rmtree(share / "jobs")
    harness.services.runner.run(job.id)  # each download has different content
    failed = await harness.until(job.id)
    assert failed.problem is not None
    assert failed.problem.reason is Reason.SOURCE_GONE
    assert (await harness.usage()).used == 0


async def test_a_song_of_another_length_than_billed_is_not_split(
    harness: Harness, audio: SpoolingAudio
):
    job = await stepped_to(harness, State.HELD)
    lose_disk(harness)
    audio.duration_s = 3
    harness.services.runner.run(job.id)
    failed = await harness.until(job.id)
    assert failed.problem is not None
    assert failed.problem.reason is Reason.SOURCE_GONE


async def test_masters_that_are_nowhere_are_lost_and_given_back(harness: Harness, share: Path):
    job = await stepped_to(harness, State.READY)
    lose_disk(harness)
    shutil.rmtree(share / "jobs")
    harness.services.runner.run(job.id)
    failed = await harness.until(job.id)
    assert failed.problem is not None
    assert failed.problem.reason is Reason.STEMS_LOST
    assert (await harness.usage()).used == 0


@pytest.mark.parametrize("number", range(12))
async def test_a_store_that_is_away_at_any_call_is_waited_for(
    number: int, tmp_path: Path, share: Path, audio: SpoolingAudio, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("bot.jobs.runner.STORE_PAUSE_S", 0.01)
    store = LeavingStore(folder_store(share))
    harness = await opened(tmp_path, store, audio)
    store.away_at = {number, number + 1, number + 2}
    job = await harness.split()
    delivered = await harness.until(job.id)
    await harness.until_idle()
    assert delivered.state is State.DELIVERED
    assert (await harness.usage()).used == 1
    assert (len(harness.downloads.urls), audio.decodes, _results(harness)) == (1, 3, 2)
    assert {key.split("/")[2] for key in stored(share)} <= {"masters", "input"}
    await harness.close()


async def test_nothing_is_charged_while_the_store_is_away(
    harness: Harness, store: LeavingStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("bot.jobs.runner.STORE_PAUSE_S", 0.01)
    job = await stepped_to(harness, State.PROCESSING)
    store.is_away = True
    harness.services.runner.run(job.id)
    tries = len(store.calls) + 20
    while len(store.calls) < tries:
        await _moment()
    usage = await harness.usage()
    assert (usage.used, usage.held) == (0, 1)
    assert _results(harness) == 2  # fetched once, although the masters wait to be stored
    store.is_away = False
    assert (await harness.until(job.id)).state is State.DELIVERED
    assert (await harness.usage()).used == 1


async def test_a_repeat_that_waits_for_the_store_counts_once(
    harness: Harness, store: LeavingStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("bot.jobs.runner.STORE_PAUSE_S", 0.001)
    harness.downloads.song = b"the same each time"
    await harness.until((await harness.split()).id)
    await harness.until_idle()
    store.is_away = True
    repeat = await harness.split()
    tries = len(store.calls) + 50
    while len(store.calls) < tries:
        await _moment()
    store.is_away = False
    assert (await harness.until(repeat.id)).state is State.DELIVERED
    assert (await harness.usage()).used == 1


async def test_a_reply_that_is_late_finds_its_stems_after_the_disk_is_lost(harness: Harness):
    job = await stepped_to(harness, State.READY)
    harness.delivery.answers = [ReplyUnavailable("Discord is away")]
    await harness.advance(job.id)
    lose_disk(harness)
    harness.services.runner.run(job.id)
    assert (await harness.until(job.id, is_awake=True)).state is State.DELIVERED


async def test_a_result_is_shown_again_from_the_store(harness: Harness, store: LeavingStore):
    job = await harness.until((await harness.split()).id)
    await harness.until_idle()
    lose_disk(harness)
    redelivery = harness.services.redelivery
    async with redelivery.packed(job, name="again", limit_bytes=10**7) as delivery:
        assert len(delivery.files) == 2
    lose_disk(harness)
    store.is_away = True
    with pytest.raises(ObjectStoreUnavailable):
        async with redelivery.packed(job, name="again", limit_bytes=10**7):
            pass


async def test_retention_deletes_in_the_store_and_waits_for_it(
    harness: Harness, store: LeavingStore, share: Path
):
    job = await harness.until((await harness.split()).id)
    await harness.until_idle()
    assert stored(share)
    harness.clock.move(hours=25)
    store.is_away = True
    with pytest.raises(ObjectStoreUnavailable):
        await harness.services.retention.sweep()
    assert not (await harness.job(job.id)).files_expired
    store.is_away = False
    await harness.services.retention.sweep()
    assert (await harness.job(job.id)).files_expired
    assert stored(share) == set()


async def test_a_cancelled_job_leaves_nothing_in_the_end(
    harness: Harness, store: LeavingStore, share: Path
):
    job = await stepped_to(harness, State.HELD)
    store.is_away = True
    await harness.services.splits.cancel(job.id, user_id=job.request.user_id)
    assert (await harness.job(job.id)).state is State.CANCELLED
    assert stored(share)
    store.is_away = False
    harness.clock.at += timedelta(hours=25)
    await harness.services.retention.sweep()
    assert stored(share) == set()


async def test_a_forgotten_user_leaves_nothing_in_the_store(
    harness: Harness, store: LeavingStore, share: Path
):
    job = await harness.until((await harness.split()).id)
    await harness.until_idle()
    store.is_away = True
    with pytest.raises(ObjectStoreUnavailable):
        await harness.services.privacy.forget(job.request.user_id)
    store.is_away = False
    await harness.services.privacy.forget(job.request.user_id)
    assert stored(share) == set()


async def _moment() -> None:
    await asyncio.sleep(0.005)
