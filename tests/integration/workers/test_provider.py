"""The provider `workers`: what it offers, and the rows behind its answers."""

from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.attempt import RemoteFile, RemoteRef
from bot.domain.errors import ProviderDown, ProviderProtocol, ProviderRefused
from bot.domain.job import State
from bot.domain.recipes import Stem
from bot.providers.interface import (
    Accepted,
    Call,
    Failed,
    Finished,
    Lost,
    Model,
    Running,
    Source,
)
from bot.providers.self_hosted.declared_models import encode_models
from bot.providers.self_hosted.workers import Workers, offered_by, places_for
from storage.stores.job_store import JobStore
from storage.work_queue.living_workers import LivingWorkers, WorkerRow
from storage.work_queue.separations import SeparationError, SeparationKey
from tests.integration.workers.farm import SONG, Farm
from tests.support.domain_factories import lead

DUO = Model(name="duo", stems=frozenset({Stem.VOCALS, Stem.INSTRUMENTAL}), sums_to_song=True)
FOUR = frozenset({Stem.VOCALS, Stem.DRUMS, Stem.BASS, Stem.OTHER})
ROUGH = Model(name="a rough four", stems=FOUR, is_basic=True)
FINE = Model(name="fine four", stems=FOUR)


def a_worker(name: str, *models: Model, slots: int = 1) -> WorkerRow:
    return WorkerRow(
        id=name, name=name, version="1", models=encode_models(models), slots=slots, device="cpu"
    )


@pytest.fixture
def provider(farm: Farm) -> Workers:
    return Workers(
        separations=farm.separations,
        living=LivingWorkers(db=farm.db),
        objects=farm.objects,
        expected=(DUO,),
    )


@pytest.fixture
async def call(farm: Farm) -> Call:
    job = await lead(JobStore(db=farm.db), State.PROCESSING)
    return Call(job_id=job.id, attempt=1, model=DUO, workdir=farm.home, turn=3)


@pytest.fixture
def source(farm: Farm) -> Source:
    mixture = farm.home / "mixture.f32"
    mixture.write_bytes(SONG)
    return Source(mixture=mixture, frames=len(SONG) // 8, url=None)


async def test_until_a_worker_is_seen_the_expected_models_are_offered(provider: Workers):
    await provider.look()
    assert provider.capabilities.models == (DUO,)
    assert not provider.has_worker_for("duo")


async def test_models_of_living_workers_come_first_and_basic_ones_last(
    farm: Farm, provider: Workers
):
    living = LivingWorkers(db=farm.db)
    await living.arrive(a_worker("gone", FINE))
    await farm.db.write(lambda conn: conn.execute("UPDATE workers SET seen_at = seen_at - 60"))
    await living.arrive(a_worker("here", DUO, ROUGH))
    await living.arrive(a_worker("draining", FINE, slots=0))
    await provider.look()
    assert provider.capabilities.models == (DUO, ROUGH, FINE)
    assert [provider.has_worker_for(name) for name in ("duo", "fine four")] == [True, False]
    await living.arrive(a_worker("fine", FINE, slots=2))
    await provider.look()
    assert provider.capabilities.models == (DUO, FINE, ROUGH)
    assert provider.capabilities.concurrency == 3


async def test_a_model_that_no_worker_can_use_now_is_offered_all_the_same(
    farm: Farm, provider: Workers
):
    living = LivingWorkers(db=farm.db)
    both = encode_models([DUO, FINE], withdrawn={"fine four"})
    await living.arrive(replace(a_worker("here"), models=both))
    await provider.look()
    assert provider.capabilities.models == (DUO, FINE)
    assert [provider.has_worker_for(name) for name in ("duo", "fine four")] == [True, False]


def test_the_order_of_models_depends_on_no_clock():
    workers = [a_worker("one", DUO, ROUGH), a_worker("two", FINE)]
    assert offered_by(workers) == offered_by(reversed(workers)) == [DUO, FINE, ROUGH]


def test_the_queue_holds_some_songs_more_than_workers_have_room_for():
    assert [places_for(slots) for slots in (0, 1, 2, 16)] == [0, 2, 3, 24]


async def test_an_answer_is_that_of_the_row(
    farm: Farm, provider: Workers, call: Call, source: Source, tmp_path: Path
):
    accepted = await provider.submit(call, source)
    assert await provider.submit(call, source) == accepted
    assert await provider.poll(accepted.ref) == Running()
    key = SeparationKey(job_id=call.job_id, number=1)
    ours = await farm.separations.start(key, worker="w")
    assert ours is not None
    assert ours.turn == 3
    await farm.separations.advance(ours, 0.5)
    assert await provider.poll(accepted.ref) == Running(0.5)
    await farm.objects.put(source.mixture, key.result(1, Stem.VOCALS))
    await farm.separations.finish(ours, {Stem.VOCALS: key.result(1, Stem.VOCALS)})
    answer = await provider.poll(accepted.ref)
    assert isinstance(answer, Finished)
    [file] = answer.files
    for _ in range(2):
        await provider.fetch(file, tmp_path / "vocals.f32")
    assert (tmp_path / "vocals.f32").read_bytes() == SONG


async def test_the_model_of_a_separation_outlives_its_worker(
    farm: Farm, provider: Workers, call: Call, source: Source
):
    living = LivingWorkers(db=farm.db)
    await living.arrive(a_worker("here", ROUGH))
    accepted = await provider.submit(replace(call, model=ROUGH), source)
    await farm.db.write(lambda conn: conn.execute("DELETE FROM workers"))
    await living.arrive(a_worker("here", replace(ROUGH, stems=DUO.stems)))
    await provider.look()
    assert await provider.model_of(accepted.ref) == ROUGH


async def test_a_separation_that_an_older_bot_requested_has_no_known_model(
    farm: Farm, provider: Workers, call: Call, source: Source
):
    accepted = await provider.submit(call, source)
    await farm.db.write(lambda conn: conn.execute("UPDATE separations SET declared = DEFAULT"))
    for ref in (accepted.ref, RemoteRef("a2b3c-1"), RemoteRef("nonsense")):
        assert await provider.model_of(ref) is None


async def test_a_stem_of_another_length_is_not_used(
    farm: Farm, provider: Workers, call: Call, source: Source, tmp_path: Path
):
    await provider.submit(call, source)
    key = SeparationKey(job_id=call.job_id, number=1)
    file = RemoteFile(key.result(1, Stem.VOCALS), Stem.VOCALS)
    for wrong in (b"", SONG[:-8], SONG + SONG):
        source.mixture.write_bytes(wrong)
        await farm.objects.put(source.mixture, file.address)
        with pytest.raises(ProviderProtocol, match=f"a stem has {len(wrong)} bytes"):
            await provider.fetch(file, tmp_path / "vocals.f32")
    assert not (tmp_path / "vocals.f32").exists()


async def test_a_result_that_names_objects_of_others_is_a_failure(
    farm: Farm, provider: Workers, call: Call, source: Source
):
    accepted = await provider.submit(call, source)
    ours = await farm.separations.start(SeparationKey(job_id=call.job_id, number=1), worker="w")
    assert ours is not None
    await farm.separations.finish(ours, {Stem.VOCALS: "jobs/k7f2q/masters/vocals.flac"})
    assert await provider.poll(accepted.ref) == Failed(SeparationError.FAILED)


@pytest.mark.parametrize(
    "files",
    [
        '{"theremin": "key"}',
        '["vocals"]',
        '{"vocals": 7}',
        pytest.param("[" * 3000 + "]" * 3000, id="deep"),
    ],
)
async def test_a_result_that_this_version_cannot_read_is_a_failure(
    farm: Farm, provider: Workers, call: Call, source: Source, files: str
):
    accepted = await provider.submit(call, source)
    await farm.db.write(
        lambda conn: conn.execute("UPDATE separations SET state = 'done', files = ?", (files,))
    )
    assert await provider.poll(accepted.ref) == Failed(SeparationError.FAILED)


@pytest.mark.parametrize(
    ("error", "is_starved"),
    [(SeparationError.STARVED, True), (SeparationError.KILLED_WORKERS, False)],
)
async def test_a_failure_of_a_worker_is_one_of_the_provider(
    farm: Farm,
    provider: Workers,
    call: Call,
    source: Source,
    error: SeparationError,
    is_starved: bool,
):
    accepted = await provider.submit(call, source)
    key = SeparationKey(job_id=call.job_id, number=1)
    ours = await farm.separations.start(key, worker="w")
    assert ours is not None
    await farm.separations.fail(ours, error)
    assert await provider.poll(accepted.ref) == Failed(error, is_starved=is_starved)


async def test_a_cancelled_separation_and_an_unknown_one_are_lost(
    farm: Farm, provider: Workers, call: Call, source: Source
):
    accepted = await provider.submit(call, source)
    await provider.cancel(accepted.ref)
    await provider.cancel(accepted.ref)
    assert await farm.objects.keys_under("separations") == []
    for ref in (accepted.ref, RemoteRef("a2b3c-1"), RemoteRef("nonsense")):
        assert await provider.poll(ref) == Lost()


async def test_a_job_that_was_started_three_times_is_refused(
    farm: Farm, provider: Workers, call: Call, source: Source
):
    await provider.submit(call, source)
    for _ in range(3):
        await farm.separations.start(SeparationKey(job_id=call.job_id, number=1), worker="w")
    with pytest.raises(ProviderRefused):
        await provider.submit(replace(call, attempt=2), source)


async def test_a_store_that_is_away_starts_nothing(
    farm: Farm, provider: Workers, call: Call, source: Source
):
    (farm.home / "store").rename(farm.home / "unmounted")
    with pytest.raises(ProviderDown):
        await provider.submit(call, source)
    (farm.home / "unmounted").rename(farm.home / "store")
    assert isinstance(await provider.submit(call, source), Accepted)


async def test_a_stem_that_is_gone_is_told_from_a_store_that_is_away(
    farm: Farm, provider: Workers, call: Call, source: Source, tmp_path: Path
):
    await provider.submit(call, source)
    key = SeparationKey(job_id=call.job_id, number=1)
    file = RemoteFile(key.result(1, Stem.VOCALS), Stem.VOCALS)
    with pytest.raises(ProviderProtocol):
        await provider.fetch(file, tmp_path / "vocals.f32")
    (farm.home / "store").rename(farm.home / "unmounted")
    with pytest.raises(ProviderDown):
        await provider.fetch(file, tmp_path / "vocals.f32")
