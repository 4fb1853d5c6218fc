"""The disk guard reserves bytes before they are written, so the cap always holds."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.accounts.disk_guard import (
    ASK_AGAIN_AFTER_S,
    GIVE_UP_EVERY_S,
    LOOK_AGAIN_AFTER_S,
    LOOK_EVERY_S,
    PATIENCE_S,
    DiskGuard,
)
from bot.domain.errors import NoRoom, Reason, Rejected
from bot.domain.job import JobId
from storage.files.job_files import JobFiles
from storage.objects.shared_job_files import SharedJobFiles
from tests.support.fakes import FakeClock
from tests.support.object_stores import folder_store

MORE_THAN_ANY_DISK = 1 << 60
CAP_BYTES = 1024
A, B, C = JobId("aaaaa"), JobId("bbbbb"), JobId("ccccc")


@dataclass
class Promise:
    promised_bytes: int = 0
    written_bytes: int = 0
    waits_for_room_since: float | None = None


class Disk:
    """A guard of a folder, with jobs that use no more than they reserved."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.root, self.clock = root, FakeClock()
        self.jobs: dict[JobId, Promise] = {}
        self.called: list[JobId] = []
        settings = {"reserve_bytes": 0, "floor_bytes": 0, **settings}
        files = settings.pop("files", None) or JobFiles(root)
        self.guard = DiskGuard(
            files=files,
            clock=self.clock,
            jobs=self.jobs,
            max_gib=CAP_BYTES / 1024**3,
            on_turn=self.called.append,
            **settings,
        )

    def write(self, job_id: JobId, size_bytes: int) -> Path:
        path = self.root / job_id / "masters" / "vocals.flac"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size_bytes))
        return path

    async def ask(self, job_id: JobId, size_bytes: int) -> int:
        self.jobs.setdefault(job_id, Promise())
        self.clock.move(seconds=1)
        return await self.guard.promise_in_turn(job_id, size_bytes)

    def end(self, job_id: JobId) -> None:
        self.guard.release(self.jobs.pop(job_id))


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


async def test_a_disk_with_little_room_left_refuses_new_jobs(tmp_path: Path) -> None:
    disk = Disk(tmp_path, reserve_bytes=MORE_THAN_ANY_DISK)
    with pytest.raises(Rejected) as refused:
        await disk.guard.check()
    assert refused.value.problem.reason is Reason.DISK_FULL


async def test_room_that_comes_free_is_noticed(disk: Disk) -> None:
    kept = disk.write(A, CAP_BYTES + 1)
    with pytest.raises(Rejected):
        await disk.guard.check()
    kept.unlink()
    disk.clock.move(seconds=LOOK_EVERY_S + 1)
    await disk.guard.check()


async def test_what_is_promised_counts_before_it_is_written(disk: Disk) -> None:
    assert await disk.ask(A, 600) == 600
    assert await disk.ask(B, 600) == 0
    with pytest.raises(Rejected):
        await disk.guard.check(600)


async def test_a_promise_ends_with_its_job_and_what_it_left_counts(disk: Disk) -> None:
    await disk.ask(A, 800)
    disk.write(A, 300)
    disk.end(A)
    assert await disk.ask(B, 700) == 700
    assert await disk.ask(C, 100) == 0


async def test_a_smaller_promise_leaves_the_rest_to_others(disk: Disk) -> None:
    await disk.ask(A, 1000)
    assert await disk.guard.promise(A, 200)
    assert await disk.ask(B, 800) == 800


async def test_many_jobs_that_ask_at_once_are_promised_no_more_than_the_cap(disk: Disk) -> None:
    for number in range(300):
        await disk.ask(JobId(f"j{number}"), 100)
    assert sum(each.promised_bytes for each in disk.jobs.values()) <= CAP_BYTES


async def test_the_longest_waiting_job_is_next(disk: Disk) -> None:
    await disk.ask(A, 1000)
    assert await disk.ask(B, 900) == 0
    assert await disk.ask(C, 10) == 0
    assert disk.guard.ahead(C) == 1
    disk.end(A)
    assert await disk.ask(C, 10) == 0
    assert await disk.ask(B, 900) == 900
    assert disk.called[-1] == C


async def test_a_job_alone_gets_what_there_is(disk: Disk) -> None:
    disk.write(A, 124)
    assert await disk.ask(B, 5000) == CAP_BYTES - 124


async def test_a_stuck_disk_fails_the_youngest_waiting_job_and_then_the_next(disk: Disk) -> None:
    await disk.ask(A, 1000)
    for waiting in (B, C):
        await disk.ask(waiting, 500)
    disk.clock.move(seconds=PATIENCE_S + 5)
    assert await disk.ask(B, 500) == 0
    with pytest.raises(Rejected) as refused:
        await disk.ask(C, 500)
    assert refused.value.problem.reason is Reason.DISK_FULL
    disk.end(C)
    assert await disk.ask(B, 500) == 0
    disk.clock.move(seconds=GIVE_UP_EVERY_S)
    with pytest.raises(Rejected):
        await disk.ask(B, 500)


async def test_the_last_bytes_are_for_the_store_alone(tmp_path: Path) -> None:
    disk = Disk(tmp_path, floor_bytes=MORE_THAN_ANY_DISK)
    assert await disk.ask(A, 1) == 0
    with pytest.raises(NoRoom):
        await disk.guard.require_floor()


async def test_a_job_that_waits_for_the_last_bytes_is_given_up_after_a_while(
    tmp_path: Path,
) -> None:
    disk = Disk(tmp_path, floor_bytes=MORE_THAN_ANY_DISK)
    disk.jobs[A] = Promise()
    with pytest.raises(NoRoom):
        await disk.guard.require_floor(waiting=A)
    disk.clock.move(seconds=PATIENCE_S + 1)
    with pytest.raises(Rejected):
        await disk.guard.require_floor(waiting=A)


async def test_a_file_with_two_names_counts_once(disk: Disk) -> None:
    master = disk.write(A, 900)
    (disk.root / B).mkdir()
    (disk.root / B / "vocals.flac").hardlink_to(master)
    await disk.guard.check(100)


async def test_a_loan_counts_beside_what_jobs_are_promised(disk: Disk) -> None:
    assert await disk.ask(A, CAP_BYTES // 2) == CAP_BYTES // 2
    async with disk.guard.lend(CAP_BYTES // 2):
        assert await disk.ask(B, 1) == 0
        with pytest.raises(NoRoom):
            async with disk.guard.lend(1):
                pytest.fail("there is no room")
    disk.clock.move(seconds=LOOK_EVERY_S)
    assert await disk.ask(B, CAP_BYTES // 2) == CAP_BYTES // 2


async def test_a_loan_ends_with_its_context_whatever_happens(disk: Disk) -> None:
    for error in (OSError(28, "full"), asyncio.CancelledError()):
        with pytest.raises(type(error)):
            async with disk.guard.lend(CAP_BYTES):
                raise error
        disk.clock.move(seconds=LOOK_EVERY_S)
    assert await disk.ask(A, CAP_BYTES) == CAP_BYTES


async def test_what_a_loan_may_have_left_counts_until_the_next_look(disk: Disk) -> None:
    async with disk.guard.lend(CAP_BYTES):
        disk.write(A, CAP_BYTES // 2)
    disk.clock.move(seconds=LOOK_AGAIN_AFTER_S / 2)
    with pytest.raises(Rejected):
        await disk.guard.check(CAP_BYTES // 2)
    disk.clock.move(seconds=LOOK_EVERY_S)
    await disk.guard.check(CAP_BYTES // 2)


async def test_a_disk_with_less_than_the_floor_lends_nothing(tmp_path: Path) -> None:
    with pytest.raises(NoRoom):
        async with Disk(tmp_path, floor_bytes=MORE_THAN_ANY_DISK).guard.lend(1):
            pytest.fail("there is no room")


async def test_copies_of_kept_files_are_no_reason_to_refuse(tmp_path: Path):
    files = SharedJobFiles(tmp_path / "jobs", folder_store(tmp_path / "share"), owner="tests")
    await files.claim_store()
    disk = Disk(tmp_path / "jobs", files=files)
    for job_id in (A, B):
        disk.write(job_id, CAP_BYTES // 2)
        await files.settle(job_id)
    alone = disk.write(C, 100)  # not in the store
    await disk.guard.check(200)
    assert sorted(path.name for path in disk.root.iterdir()) == sorted([B, C])
    disk.jobs[B] = Promise()
    assert await disk.ask(JobId("ddddd"), CAP_BYTES) > 0  # as much as is left
    assert (disk.root / B).exists()
    assert alone.exists()


async def test_a_song_in_line_gets_the_room_of_copies(tmp_path: Path):
    files = SharedJobFiles(tmp_path / "jobs", folder_store(tmp_path / "share"), owner="tests")
    await files.claim_store()
    disk = Disk(tmp_path / "jobs", files=files)
    disk.write(A, CAP_BYTES)
    await files.settle(A)
    assert await disk.ask(B, 500) == 500
    assert not (disk.root / A).exists()


class MeasuredFiles(JobFiles):
    """Counts measurements of a disk with `free` bytes."""

    free = 1 << 40
    measurements = 0

    async def free_bytes(self) -> int:
        self.measurements += 1
        return self.free


async def test_a_burst_of_requests_measures_the_disk_once(tmp_path: Path) -> None:
    files = MeasuredFiles(tmp_path)
    disk = Disk(tmp_path, files=files)
    for _ in range(100):
        await disk.guard.check(10)
    assert files.measurements == 1
    disk.clock.move(seconds=ASK_AGAIN_AFTER_S)
    await disk.guard.check(10)
    assert files.measurements == 2


async def test_a_request_is_refused_by_a_new_measurement_only(tmp_path: Path) -> None:
    files = MeasuredFiles(tmp_path)
    files.free = 100
    disk = Disk(tmp_path, files=files)
    with pytest.raises(Rejected):
        await disk.guard.check(200)
    files.free = 1 << 40
    await disk.guard.check(200)


async def test_what_jobs_are_promised_counts_at_once_between_measurements(disk: Disk) -> None:
    await disk.guard.check(CAP_BYTES)
    await disk.ask(A, CAP_BYTES - 10)
    await disk.guard.check(10)
    with pytest.raises(Rejected):
        await disk.guard.check(11)
