"""The work of a task, with a scripted provider and an in-memory row."""

import asyncio
import errno
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.errors import (
    NoRoom,
    ObjectMissing,
    ObjectStoreUnavailable,
    ProviderRefused,
    ProviderStarved,
    StoreUnavailable,
)
from bot.domain.job import JobId
from bot.domain.recipes import Stem
from bot.providers.interface import Failed, Lost, Model, Running
from bot.workers import separator as module
from bot.workers.counts import Outcome
from bot.workers.failure_streak import MOST_IN_A_ROW, FailureStreak
from bot.workers.separator import Separator
from storage.work_queue.separations import (
    Separation,
    SeparationError,
    SeparationKey,
    SeparationState,
)
from tests.support.fakes import FakeProvider

KEY = SeparationKey(job_id=JobId("k7f2q"), number=1)
STEMS = frozenset({Stem.VOCALS, Stem.INSTRUMENTAL})
WAITING = Separation(
    key=KEY,
    model="two",
    frames=10,
    turn=0,
    state=SeparationState.WAITING,
    lease=0,
    fraction=0.0,
    files={},
    error=None,
)


class Row:
    """A separation's row. It first raises scripted errors, one for each write."""

    def __init__(self) -> None:
        self.now = WAITING
        self.errors: list[Exception] = []
        self.fractions: list[float] = []
        self.failed_elsewhere: set[JobId] = set()

    async def has_failed_elsewhere(self, job_id: JobId, *, worker: str) -> bool:
        return job_id in self.failed_elsewhere

    def _write(self, **changes: object) -> bool:
        if self.errors:
            raise self.errors.pop(0)
        if not self.now.state.is_open:
            return False
        self.now = replace(self.now, **changes)  # type: ignore[arg-type] # fields of the row
        return True

    async def start(self, key: SeparationKey, *, worker: str) -> Separation | None:
        is_open = self._write(state=SeparationState.RUNNING, lease=self.now.lease + 1)
        return self.now if is_open else None

    async def advance(self, ours: Separation, fraction: float) -> bool:
        self.fractions.append(fraction)
        return self._write(fraction=fraction)

    async def finish(self, ours: Separation, files: Mapping[Stem, str]) -> bool:
        return self._write(state=SeparationState.DONE, files=files)

    async def fail(self, ours: Separation, error: SeparationError) -> bool:
        return self._write(state=SeparationState.FAILED, error=error)

    async def hand_back(self, ours: Separation) -> bool:
        return self._write(state=SeparationState.WAITING)


class Objects:
    """An object store in memory. It first raises scripted errors, one for each transfer."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {KEY.song: b"a song"}
        self.errors: list[Exception] = []

    def _transfer(self) -> None:
        if self.errors:
            raise self.errors.pop(0)

    async def get(self, key: str, into: Path) -> None:
        self._transfer()
        if key not in self.kept:
            raise ObjectMissing(key)
        into.write_bytes(self.kept[key])

    async def put(self, path: Path, key: str) -> None:
        self._transfer()
        self.kept[key] = path.read_bytes()

    async def remove_under(self, prefix: str) -> None:
        self.kept = {key: v for key, v in self.kept.items() if not key.startswith(prefix)}


@pytest.fixture
def row() -> Row:
    return Row()


@pytest.fixture
def objects() -> Objects:
    return Objects()


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider(can_cancel=True, is_hosted=False)


@pytest.fixture
def streak(row: Row) -> FailureStreak:
    return FailureStreak(separations=row, worker="w")  # type: ignore[arg-type] # matches by shape


@pytest.fixture
async def separator(
    row: Row, objects: Objects, provider: FakeProvider, streak: FailureStreak, tmp_path: Path
) -> AsyncIterator[Separator]:
    built = Separator(
        separations=row,  # type: ignore[arg-type] # matches by shape
        objects=objects,  # type: ignore[arg-type] # matches by shape
        providers=[provider],
        scratch=tmp_path,
        worker="w",
        streak=streak,
    )
    yield built
    assert list(tmp_path.iterdir()) == []


def ended(separator: Separator) -> dict[Outcome, int]:
    return {outcome: count for outcome, count in separator.counts.ended.items() if count}


async def test_stems_are_stored_under_the_lease_and_recorded(
    separator: Separator, row: Row, objects: Objects
):
    await separator.separate(KEY)
    assert row.now.state is SeparationState.DONE
    assert row.now.files == {stem: KEY.result(1, stem) for stem in STEMS}
    assert objects.kept.keys() == {KEY.song, *row.now.files.values()}
    assert ended(separator) == {Outcome.DONE: 1}


async def test_an_ended_separation_is_not_started(
    separator: Separator, row: Row, provider: FakeProvider
):
    row.now = replace(WAITING, state=SeparationState.CANCELLED)
    await separator.separate(KEY)
    assert provider.submits == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Failed("it hung"), SeparationError.FAILED),
        (Failed("killed", is_starved=True), SeparationError.STARVED),
        (Lost(), SeparationError.FAILED),
    ],
)
async def test_a_failure_of_the_engine_is_recorded(
    separator: Separator,
    row: Row,
    provider: FakeProvider,
    answer: Failed | Lost,
    error: SeparationError,
):
    provider.on_poll = [answer]
    await separator.separate(KEY)
    assert (row.now.state, row.now.error) == (SeparationState.FAILED, error)
    assert ended(separator) == {Outcome.FAILED: 1}


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (ProviderRefused("no model"), SeparationError.REFUSED),
        (ProviderStarved("no memory"), SeparationError.STARVED),
    ],
)
async def test_a_refused_submit_is_recorded(
    separator: Separator,
    row: Row,
    provider: FakeProvider,
    refusal: ProviderRefused,
    error: SeparationError,
):
    provider.on_submit = [refusal]
    await separator.separate(KEY)
    assert (row.now.state, row.now.error) == (SeparationState.FAILED, error)


async def test_a_song_that_is_gone_from_the_store_is_recorded(
    separator: Separator, row: Row, objects: Objects
):
    objects.kept.clear()
    await separator.separate(KEY)
    assert row.now.error is SeparationError.SONG_MISSING


async def test_a_song_that_is_deleted_with_its_job_is_no_failure(
    separator: Separator, row: Row, objects: Objects
):
    class Deleted(Objects):
        async def get(self, key: str, into: Path) -> None:
            row.now = replace(row.now, state=SeparationState.CANCELLED)
            raise ObjectMissing(key)

    objects.__class__ = Deleted
    await separator.separate(KEY)
    assert ended(separator) == {Outcome.DROPPED: 1}


async def test_a_late_result_is_dropped_with_its_objects(
    separator: Separator, row: Row, objects: Objects, provider: FakeProvider
):
    class Faster(FakeProvider):
        async def fetch(self, file: object, into: Path) -> None:
            into.write_bytes(b"stem")
            row.now = replace(row.now, state=SeparationState.DONE, files={})

    provider.__class__ = Faster
    await separator.separate(KEY)
    assert row.now.files == {}
    assert objects.kept.keys() == {KEY.song}
    assert ended(separator) == {Outcome.DROPPED: 1}


async def test_a_separation_that_was_cancelled_meanwhile_is_stopped(
    separator: Separator, row: Row, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "ADVANCE_EVERY_S", 0.0)
    provider.on_poll = [Running(0.1)] * 1000
    work = asyncio.create_task(separator.separate(KEY))
    async with asyncio.timeout(10):
        while not row.now.fraction:
            await asyncio.sleep(0.001)
        row.now = replace(row.now, state=SeparationState.CANCELLED)
        await work
    assert provider.cancelled
    assert ended(separator) == {Outcome.DROPPED: 1}


async def test_an_aborted_task_stops_the_engine(separator: Separator, provider: FakeProvider):
    provider.on_poll = [Running(0.1)] * 1000
    work = asyncio.create_task(separator.separate(KEY))
    async with asyncio.timeout(10):
        while not provider.submits:
            await asyncio.sleep(0.001)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
    assert provider.cancelled


async def test_work_that_is_handed_back_waits_again_and_is_stopped_here(
    separator: Separator, row: Row, provider: FakeProvider
):
    provider.on_poll = [Running(0.1)] * 1000
    work = asyncio.create_task(separator.separate(KEY))
    async with asyncio.timeout(10):
        while not provider.submits:
            await asyncio.sleep(0.001)
        assert separator.counts.under_way == 1
        separator.hand_back()
        await work
    assert row.now.state is SeparationState.WAITING
    assert provider.cancelled
    assert ended(separator) == {Outcome.HANDED_BACK: 1}
    assert separator.counts.under_way == 0


async def test_outages_of_database_and_store_are_waited_out(
    separator: Separator, row: Row, objects: Objects, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("storage.database.write_retry.FIRST_WRITE_PAUSE_S", 0.001)
    row.errors = [StoreUnavailable("away")] * 2
    objects.errors = [ObjectStoreUnavailable("away")] * 2
    await separator.separate(KEY)
    assert row.now.state is SeparationState.DONE


async def test_a_disk_that_is_full_before_the_song_is_there_is_waited_out(
    separator: Separator, row: Row, objects: Objects, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "backoff_s", lambda tries, *, key: 0.001)
    objects.errors = [OSError(errno.ENOSPC, "No space left on device")] * 2
    await separator.separate(KEY)
    assert row.now.state is SeparationState.DONE


async def test_a_song_that_is_cancelled_while_the_disk_is_full_is_left(
    separator: Separator, row: Row, objects: Objects, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "backoff_s", lambda tries, *, key: 0.001)
    objects.errors = [OSError(errno.ENOSPC, "No space left on device")] * 1000
    work = asyncio.create_task(separator.separate(KEY))
    async with asyncio.timeout(10):
        while len(objects.errors) > 990:
            await asyncio.sleep(0.001)
        row.now = replace(row.now, state=SeparationState.CANCELLED)
        await work
    assert ended(separator) == {Outcome.DROPPED: 1}


async def test_a_full_disk_is_waited_out(
    separator: Separator, row: Row, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "backoff_s", lambda tries, *, key: 0.001)

    class Full(FakeProvider):
        async def poll(self, ref: object) -> object:  # type: ignore[override] # scripted
            if len(self.on_submit) < 2:
                self.on_submit.append(ProviderRefused("counts the polls"))
                raise NoRoom("disk_full")
            return self.finishes()

    provider.__class__ = Full
    await separator.separate(KEY)
    assert row.now.state is SeparationState.DONE


async def test_a_song_for_which_no_room_is_made_is_handed_back(
    separator: Separator, row: Row, objects: Objects, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "backoff_s", lambda tries, *, key: 0.001)
    monkeypatch.setattr(module, "ROOM_WITHIN_S", 0.0)
    objects.errors = [OSError(errno.ENOSPC, "No space left on device")] * 1000
    told = []

    async def note() -> None:
        told.append((row.now.state, set(separator.troubles())))

    separator.on_failure(note)
    await separator.separate(KEY)
    # This worker stops taking songs before the song is back in the queue.
    assert told == [(SeparationState.RUNNING, {model.name for model in separator.models})]
    assert row.now.state is SeparationState.WAITING
    assert ended(separator) == {Outcome.HANDED_BACK: 1}
    monkeypatch.setattr("time.monotonic", lambda: time.monotonic_ns() / 1e9 + module.FULL_PAUSE_S)
    assert separator.troubles() == {}


async def test_a_song_is_handed_back_if_the_disk_stays_full_while_it_is_separated(
    separator: Separator, row: Row, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "backoff_s", lambda tries, *, key: 0.001)
    monkeypatch.setattr(module, "ROOM_WITHIN_S", 0.0)

    class Full(FakeProvider):
        async def poll(self, ref: object) -> object:  # type: ignore[override] # scripted
            raise NoRoom("disk_full")

    provider.__class__ = Full
    await separator.separate(KEY)
    assert row.now.state is SeparationState.WAITING
    assert provider.cancelled
    assert ended(separator) == {Outcome.HANDED_BACK: 1}


async def test_troubles_are_told_before_the_failure_is_recorded(
    separator: Separator, row: Row, provider: FakeProvider
):
    class Damaged(FakeProvider):
        def trouble_with(self, model: Model) -> str | None:
            return f"{model.name} is cut off" if self.submits else None

    assert separator.troubles() == {}
    provider.__class__ = Damaged
    assert separator.troubles() == {}
    told = []

    async def tell() -> None:
        told.append((separator.troubles(), row.now.state))

    separator.on_failure(tell)
    provider.on_poll = [Failed("the model cannot be loaded")]
    await separator.separate(KEY)
    assert told == [({"two": "two is cut off"}, SeparationState.RUNNING)]
    assert row.now.state is SeparationState.FAILED


async def fails(separator: Separator, row: Row, objects: Objects, *names: str) -> None:
    """Separate the songs of these jobs, all of which fail."""
    for name in names:
        key = SeparationKey(job_id=JobId(name), number=1)
        row.now = replace(WAITING, key=key)
        objects.kept[key.song] = b"a song"
        await separator.separate(key)
        assert row.now.state is SeparationState.FAILED


async def test_no_model_can_be_used_once_too_many_songs_in_a_row_have_failed(
    separator: Separator, row: Row, objects: Objects, provider: FakeProvider
):
    told = []

    async def tell() -> None:
        told.append((separator.troubles(), row.now.state))

    separator.on_failure(tell)
    provider.on_poll = [Failed("it hung"), Lost()]
    await fails(separator, row, objects, "a", "b")
    objects.errors = [PermissionError(13, "Permission denied")]
    await fails(separator, row, objects, "c")
    trouble = {"two": f"{MOST_IN_A_ROW} separations in a row failed here"}
    assert [troubles for troubles, _ in told] == [{}, {}, trouble]
    assert {state for _, state in told} == {SeparationState.RUNNING}


async def test_songs_that_are_missing_count_as_failures_of_this_worker(
    separator: Separator, row: Row, objects: Objects
):
    objects.errors = [ObjectMissing("song")] * MOST_IN_A_ROW
    await fails(separator, row, objects, "a", "b", "c")
    assert separator.troubles()


async def test_a_success_between_failures_starts_over(
    separator: Separator, row: Row, objects: Objects, provider: FakeProvider
):
    provider.on_poll = [Failed("it hung")] * 2
    await fails(separator, row, objects, "a", "b")
    row.now = WAITING
    await separator.separate(KEY)
    assert row.now.state is SeparationState.DONE
    provider.on_poll = [Failed("it hung")] * 2
    await fails(separator, row, objects, "c", "d")
    assert separator.troubles() == {}


async def test_failures_because_of_a_model_or_of_memory_do_not_count(
    separator: Separator, row: Row, objects: Objects, provider: FakeProvider
):
    class Damaged(FakeProvider):
        is_damaged = True

        def trouble_with(self, model: Model) -> str | None:
            return "it is cut off" if self.is_damaged else None

    provider.__class__ = Damaged
    provider.on_poll = [Failed("the model cannot be loaded")] * 3
    await fails(separator, row, objects, "a", "b", "c")
    Damaged.is_damaged = False
    provider.on_poll = [Failed("killed", is_starved=True)] * 3
    await fails(separator, row, objects, "d", "e", "f")
    assert separator.troubles() == {}
