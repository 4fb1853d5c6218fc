"""Requests from start to end through the services, with every possible outcome."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from bot.audio.tasks import Decoded
from bot.delivery.port import Refused, ReplyUnavailable
from bot.domain.attempt import AttemptState
from bot.domain.errors import (
    NotFound,
    QuotaExceeded,
    Reason,
    Rejected,
    StateMoved,
    StoreUnavailable,
)
from bot.domain.job import Job, Source, State
from bot.domain.recipes import AudioFormat, Recipe, Stem
from bot.jobs.job_runtime import AwaitWake
from bot.net.downloads import DownloadFailed, DownloadRefused, DownloadTooBig
from bot.providers.interface import Running
from storage.database.protocols import Connection
from tests.support.fakes import FakeAudio, FakeProvider
from tests.support.harness import ADA, BEN, Harness


async def test_a_split_is_delivered_and_charged_once(harness: Harness) -> None:
    job = await harness.split()
    done = await harness.until(job.id)
    assert done.state is State.DELIVERED
    assert done.minutes == 4
    usage = await harness.usage()
    assert (usage.used, usage.held, usage.left) == (4, 0, 56)
    [(_, parcel)] = harness.delivery.shown
    assert [file.filename for file in parcel.files] == [
        "Neon Rain (Instrumental).mp3",
        "Neon Rain (Vocals).mp3",
    ]


async def test_a_delivered_job_drops_its_token_and_its_working_files(harness: Harness) -> None:
    job = await harness.split()
    done = await harness.until(job.id)
    assert done.reply.token is None
    await harness.services.runner.stop(grace_s=2)
    left = {path.name for path in harness.files.of(job.id).path.rglob("*") if path.is_file()}
    assert left == {"instrumental.flac", "vocals.flac"}


async def test_work_starts_only_after_the_acknowledgement(harness: Harness) -> None:
    job = await harness.receive()
    await asyncio.sleep(0.05)
    assert (await harness.job(job.id)).state is State.RECEIVED
    assert not harness.provider.submits


async def test_a_step_of_an_unacknowledged_request_does_nothing(harness: Harness) -> None:
    job = await harness.receive()
    assert await harness.advance(job.id) == AwaitWake()
    assert (await harness.job(job.id)).state is State.RECEIVED
    assert harness.downloads.most_active == 0


async def test_an_unacknowledged_request_is_cancelled_and_costs_nothing(harness: Harness) -> None:
    job = await harness.receive()
    await harness.services.splits.unacknowledged(job.id)
    cancelled = await harness.job(job.id)
    assert cancelled.state is State.CANCELLED
    assert (await harness.usage()).left == 60


async def test_a_request_that_may_be_acknowledged_is_told_that_it_was_cancelled(
    harness: Harness,
) -> None:
    certain, in_doubt = await harness.receive(), await harness.receive()
    await harness.services.splits.unacknowledged(certain.id)
    await harness.services.splits.unacknowledged(in_doubt.id, in_doubt=True)
    assert (await harness.job(in_doubt.id)).state is State.CANCELLED
    [stale] = await harness.jobs.stale_replies(await harness.jobs.owed())
    assert stale.job.id == in_doubt.id
    assert stale.job.reply.token is not None


async def test_whoever_stops_a_song_before_its_acknowledgement_is_told_in_its_reply(
    harness: Harness,
) -> None:
    job = await harness.receive()
    await harness.services.splits.cancel(job.id, user_id=ADA)
    with pytest.raises(Rejected) as refused:
        await harness.services.splits.acknowledged(job.id, message_id=70)
    assert refused.value.problem.reason is Reason.STOPPED_BY_USER


async def test_a_song_stopped_during_its_acknowledgement_is_told_of_either_way(
    harness: Harness,
) -> None:
    splits = harness.services.splits
    for order in (1, -1):
        job = await harness.receive()
        doing = [splits.acknowledged(job.id, message_id=70), splits.cancel(job.id, user_id=ADA)]
        told = await asyncio.gather(*doing[::order], return_exceptions=True)
        is_owed = job.id in await harness.jobs.owed()
        assert is_owed or any(isinstance(each, Rejected) for each in told)
        assert not any(isinstance(each, StateMoved) for each in told)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Rejected(Reason.NOT_AUDIO), Reason.NOT_AUDIO),
        (Rejected(Reason.TOO_LONG, limit_minutes=20), Reason.TOO_LONG),
    ],
)
async def test_a_file_that_cannot_be_split_fails_with_its_reason(
    harness: Harness, error: Rejected, reason: Reason
) -> None:
    harness.audio.decode_error = error
    job = await harness.split()
    failed = await harness.until(job.id)
    assert failed.state is State.FAILED
    assert failed.problem is not None
    assert failed.problem.reason is reason
    assert (await harness.usage()).left == 60
    await harness.services.runner.stop(grace_s=2)
    assert not harness.files.of(job.id).path.exists()


async def test_a_song_that_is_too_long_is_told_the_limit(harness: Harness) -> None:
    harness.audio.decode_error = Rejected(Reason.TOO_LONG)
    failed = await harness.until((await harness.split()).id)
    assert failed.problem is not None
    assert failed.problem.facts == {"limit_minutes": 20}


async def test_a_file_that_ends_early_is_split_and_charged_as_far_as_it_goes(
    harness: Harness,
) -> None:
    harness.audio.ends_early = True
    harness.audio.duration_s = 61.0
    job = await harness.split()
    done = await harness.until(job.id)
    assert (done.state, done.minutes, done.ends_early) == (State.DELIVERED, 2, True)
    assert (await harness.usage()).used == 2


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DownloadTooBig("more"), Reason.TOO_BIG),
        (DownloadRefused("gone", status=404), Reason.DOWNLOAD_FAILED),
    ],
)
async def test_a_download_that_is_refused_ends_the_job(
    harness: Harness, error: Exception, reason: Reason
) -> None:
    harness.downloads.errors = [error]
    failed = await harness.until((await harness.split()).id)
    assert failed.problem is not None
    assert failed.problem.reason is reason


async def test_a_broken_download_is_tried_again(harness: Harness) -> None:
    harness.downloads.errors = [DownloadFailed("reset")]
    job = await harness.split()
    while harness.downloads.errors:
        await asyncio.sleep(0.005)
    harness.services.runner.wake(job.id)
    await asyncio.sleep(0.02)
    harness.services.runner.wake(job.id)
    assert (await harness.until(job.id)).state is State.DELIVERED


async def test_a_declared_size_over_the_limit_is_refused_at_once(harness: Harness) -> None:
    source = Source(filename="a.mp3", url="https://cdn.invalid/a", size_bytes=101 * 1024 * 1024)
    with pytest.raises(Rejected) as refused:
        await harness.receive(source=source)
    assert refused.value.problem.reason is Reason.TOO_BIG
    assert refused.value.problem.facts == {"limit_mib": 100}


async def test_one_more_unfinished_job_than_allowed_is_refused(harness: Harness) -> None:
    harness.downloads.gate = asyncio.Event()
    for _ in range(3):
        await harness.split()
    with pytest.raises(Rejected) as refused:
        await harness.split()
    assert refused.value.problem.reason is Reason.TOO_MANY_JOBS
    harness.downloads.gate.set()


async def test_one_user_downloads_one_file_at_a_time(harness: Harness) -> None:
    harness.downloads.gate = asyncio.Event()
    jobs = [await harness.split() for _ in range(3)]
    await asyncio.sleep(0.05)
    assert harness.downloads.active == 1
    harness.downloads.gate.set()
    for job in jobs:
        await harness.until(job.id)
    assert harness.downloads.most_active == 1


async def test_minutes_that_are_not_left_are_not_held(tmp_path: Path) -> None:
    harness = await Harness.build(tmp_path, quota_minutes=7)
    harness.audio.duration_s = 4 * 60
    first = await harness.split()
    await harness.until(first.id)
    second = await harness.split()
    failed = await harness.until(second.id)
    assert failed.problem is not None
    assert failed.problem.reason is Reason.QUOTA
    assert failed.problem.facts["left"] == 3
    assert (await harness.usage()).used == 4
    await harness.close()


async def test_a_user_without_minutes_is_refused_before_the_download(tmp_path: Path) -> None:
    harness = await Harness.build(tmp_path, quota_minutes=4)
    await harness.until((await harness.split()).id)
    with pytest.raises(QuotaExceeded):
        await harness.split()
    await harness.close()


async def test_the_same_interaction_gives_one_job(harness: Harness) -> None:
    job = await harness.receive()
    again = await harness.services.splits.receive(
        interaction_id=job.interaction_id, request=job.request, reply=job.reply
    )
    assert again.id == job.id


async def test_the_same_interaction_gives_its_job_although_nothing_more_is_left(
    tmp_path: Path,
) -> None:
    harness = await Harness.build(tmp_path, quota_minutes=4, max_active_jobs=1)
    job = await harness.split()
    await harness.until(job.id)
    again = await harness.services.splits.receive(
        interaction_id=job.interaction_id, request=job.request, reply=job.reply
    )
    assert again.id == job.id
    with pytest.raises(QuotaExceeded):
        await harness.receive()
    await harness.close()


async def test_cancel_while_separating_gives_the_minutes_back(harness: Harness) -> None:
    provider = FakeProvider("local", is_hosted=False, can_cancel=True)
    await harness.close()
    harness = await Harness.build(harness.root, provider)
    provider.on_poll = [Running(0.1)] * 10_000
    job = await harness.split()
    await harness.until(job.id, State.PROCESSING)
    cancelled = await harness.services.splits.cancel(job.id, user_id=ADA)
    assert cancelled.state is State.CANCELLED
    assert (await harness.usage()).left == 60
    assert provider.cancelled == ["local-1"]
    [attempt] = await harness.jobs.attempts(job.id)
    assert attempt.state is AttemptState.ABANDONED
    assert not harness.files.of(job.id).path.exists()
    await harness.close()


async def test_a_job_with_an_unreadable_attempt_is_left_as_it_is_and_can_be_cancelled(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    harness.provider.on_poll = [Running(0.1)] * 10_000
    job = await harness.split()
    await harness.until(job.id, State.PROCESSING)
    await harness.db.write(lambda conn: conn.execute("UPDATE attempts SET files = '7'"))
    async with asyncio.timeout(5):
        while harness.services.runner.running:
            await asyncio.sleep(0.005)
    assert (await harness.job(job.id)).state is State.PROCESSING
    cancelled = await harness.services.splits.cancel(job.id, user_id=ADA)
    assert cancelled.state is State.CANCELLED
    assert (await harness.usage()).left == 60
    assert not [each for each in caplog.records if each.exc_info]


async def test_cancel_while_a_submit_is_in_flight_keeps_its_reference(harness: Harness) -> None:
    harness.provider.gate = asyncio.Event()
    job = await harness.split()
    while not harness.provider.submits:
        await asyncio.sleep(0.005)
    await harness.services.splits.cancel(job.id, user_id=ADA)
    harness.provider.gate.set()
    async with asyncio.timeout(30):
        # The provider's answer is recorded first, then the end of the attempt.
        while (await harness.jobs.attempts(job.id))[0].state is not AttemptState.ABANDONED:
            await asyncio.sleep(0.005)
    [attempt] = await harness.jobs.attempts(job.id)
    assert attempt.ref == "fake-1"
    assert (await harness.job(job.id)).state is State.CANCELLED
    assert (await harness.usage()).left == 60


async def test_a_finished_job_cannot_be_cancelled(harness: Harness) -> None:
    job = await harness.split()
    await harness.until(job.id)
    assert (await harness.services.splits.cancel(job.id, user_id=ADA)).state is State.DELIVERED
    assert (await harness.usage()).used == 4


async def test_somebody_elses_job_is_not_found(harness: Harness) -> None:
    job = await harness.split()
    with pytest.raises(NotFound):
        await harness.services.splits.cancel(job.id, user_id=BEN)
    with pytest.raises(NotFound):
        await harness.services.splits.get(job.id, user_id=BEN)


async def test_a_reply_that_is_out_of_reach_leaves_the_stems_kept(harness: Harness) -> None:
    harness.delivery.answers = [Refused("no way")]
    job = await harness.split()
    assert (await harness.until(job.id)).state is State.KEPT
    assert harness.files.of(job.id).master(Stem.VOCALS).exists()


async def test_a_reply_that_must_wait_is_tried_again(harness: Harness) -> None:
    harness.delivery.answers = [ReplyUnavailable("down")]
    job = await harness.split()
    while not harness.delivery.shown:
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.02)
    harness.services.runner.wake(job.id)
    assert (await harness.until(job.id)).state is State.DELIVERED
    assert len(harness.delivery.shown) == 2


async def test_a_message_called_too_large_is_packed_smaller(harness: Harness) -> None:
    harness.delivery.answers = [Refused("40005", too_large=True)]
    job = await harness.split()
    assert (await harness.until(job.id)).state is State.DELIVERED
    assert len(harness.delivery.shown) == 2


async def test_a_wav_that_does_not_fit_is_sent_as_mp3_with_a_word_about_it(
    harness: Harness,
) -> None:
    harness.audio.bytes_at = {AudioFormat.FLAC: 20_000_000, AudioFormat.WAV: 40_000_000}
    job = await harness.split(audio_format=AudioFormat.WAV)
    done = await harness.until(job.id)
    [(_, parcel)] = harness.delivery.shown
    assert (parcel.audio_format, done.sent) == (AudioFormat.MP3, "mp3_instead")


async def test_stems_that_fit_in_no_form_are_kept(harness: Harness) -> None:
    harness.audio.bytes_at = {AudioFormat.MP3: 40_000_000}
    assert (await harness.until((await harness.split()).id)).state is State.KEPT


async def test_a_recipe_that_nobody_reaches_is_refused(harness: Harness) -> None:
    with pytest.raises(Rejected) as refused:
        await harness.split(recipe=Recipe.STRINGS)
    assert refused.value.problem.reason is Reason.NO_PROVIDER


async def test_a_full_disk_share_refuses_new_jobs(tmp_path: Path) -> None:
    harness = await Harness.build(tmp_path, max_disk_gib=1e-9)
    (harness.root / "jobs" / "kept").mkdir()
    (harness.root / "jobs" / "kept" / "vocals.flac").write_bytes(b"x" * 100)
    with pytest.raises(Rejected) as refused:
        await harness.split()
    assert refused.value.problem.reason is Reason.DISK_FULL
    await harness.close()


async def test_a_request_acknowledged_while_the_store_is_locked_still_runs(
    harness: Harness,
) -> None:
    job = await harness.receive()
    locker = sqlite3.connect(harness.root / "stemcord.db", isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    acknowledging = asyncio.create_task(harness.services.splits.acknowledged(job.id, message_id=70))
    await asyncio.sleep(0.2)
    assert not acknowledging.done()
    locker.execute("ROLLBACK")
    locker.close()
    await acknowledging
    assert (await harness.until(job.id)).state is State.DELIVERED


async def test_a_request_refused_while_the_store_is_locked_is_cancelled_all_the_same(
    harness: Harness,
) -> None:
    job = await harness.receive()
    locker = sqlite3.connect(harness.root / "stemcord.db", isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    giving_up = asyncio.create_task(harness.services.splits.unacknowledged(job.id))
    await asyncio.wait({giving_up}, timeout=0.2)
    locker.execute("ROLLBACK")
    locker.close()
    await giving_up
    assert (await harness.job(job.id)).state is State.CANCELLED


async def test_a_locked_store_refuses_new_requests_as_busy(harness: Harness) -> None:
    locker = sqlite3.connect(harness.root / "stemcord.db", isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable):
        await harness.receive()
    locker.execute("ROLLBACK")
    locker.close()
    assert (await harness.receive()).state is State.RECEIVED


async def test_a_request_that_is_stored_after_it_was_refused_is_cancelled(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    is_free = asyncio.Event()

    async def dawdle(conn: Connection) -> None:
        await is_free.wait()

    writing = asyncio.create_task(harness.db.write(dawdle))
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable):
        await harness.receive()
    said = [record.getMessage() for record in caplog.records]
    assert said == ["requests are refused as busy: the store takes over 1.5 s"]
    is_free.set()
    await writing
    async with asyncio.timeout(30):
        while not (jobs := await harness.jobs.of_user(ADA, 1)) or not jobs[0].state.is_final:
            await asyncio.sleep(0.01)
    assert jobs[0].state is State.CANCELLED


async def at_its_provider(harness: Harness) -> Job:
    harness.provider.on_poll = [Running()] * 10_000
    return await harness.until((await harness.split()).id, State.PROCESSING)


async def test_a_twin_of_an_interaction_that_the_slow_store_takes_late_ends_no_job(
    harness: Harness,
) -> None:
    job = await at_its_provider(harness)
    is_free = asyncio.Event()

    async def dawdle(conn: Connection) -> None:
        await is_free.wait()

    writing = asyncio.create_task(harness.db.write(dawdle))
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable):
        await harness.services.splits.receive(
            interaction_id=job.interaction_id, request=job.request, reply=job.reply
        )
    is_free.set()
    await writing
    await asyncio.sleep(0.2)
    assert (await harness.job(job.id)).state is State.PROCESSING
    assert (await harness.usage()).held == 4


async def test_a_job_that_one_call_acknowledged_is_not_withdrawn_by_its_twin(
    harness: Harness,
) -> None:
    job = await at_its_provider(harness)
    for in_doubt in (False, True):
        await harness.services.splits.unacknowledged(job.id, in_doubt=in_doubt)
    assert (await harness.job(job.id)).state is State.PROCESSING


async def test_a_request_acknowledged_just_before_it_is_withdrawn_runs(harness: Harness) -> None:
    splits = harness.services.splits
    for order in (1, -1):
        job = await harness.receive()
        doing = [splits.acknowledged(job.id, message_id=70), splits.unacknowledged(job.id)]
        told = await asyncio.gather(*doing[::order], return_exceptions=True)
        ended = await harness.until(job.id)
        is_refused = any(isinstance(each, Rejected) for each in told)
        assert ended.state is (State.CANCELLED if is_refused else State.DELIVERED)


class SlowDecoder(FakeAudio):
    """Decodes until a provider is prepared."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.warm = asyncio.Event(), asyncio.Event()

    async def decode(self, *paths: Path, **options: Any) -> Decoded:
        self.begun.set()
        await self.warm.wait()
        return await super().decode(*paths, **options)


class WarmProvider(FakeProvider):
    """Prepares once a song is being decoded."""

    def __init__(self, name: str, decoder: SlowDecoder) -> None:
        super().__init__(name)
        self._decoder = decoder
        self.warm_ups = 0

    async def warm_up(self) -> None:
        await self._decoder.begun.wait()
        self.warm_ups += 1
        self._decoder.warm.set()


async def test_the_first_provider_prepares_while_the_song_is_decoded(tmp_path: Path) -> None:
    decoder = SlowDecoder()
    audio: Any = decoder
    first, second = WarmProvider("first", decoder), WarmProvider("second", decoder)
    harness = await Harness.build(tmp_path, first, second, audio=audio)
    await harness.until((await harness.split()).id)
    assert (first.warm_ups, second.warm_ups) == (1, 0)
    decoder.begun.clear()
    decoder.warm.clear()
    await harness.until((await harness.split(provider="second")).id)
    assert (first.warm_ups, second.warm_ups) == (1, 1)
    await harness.close()


async def test_a_provider_behind_a_hosted_one_does_not_prepare(tmp_path: Path) -> None:
    hosted, second = FakeProvider("hosted"), WarmProvider("second", SlowDecoder())
    harness = await Harness.build(tmp_path, hosted, second)
    await harness.until((await harness.split()).id)
    assert second.warm_ups == 0
    await harness.close()
