"""Bytes of the disk are promised before they are written, and the cap holds at every moment."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.accounts.disk_guard import GIVE_UP_EVERY_S, LOOK_EVERY_S, PATIENCE_S, DiskGuard
from bot.domain.errors import NoRoom, Reason, Rejected
from bot.domain.job import JobId
from storage.files.job_files import JobFiles
from tests.support.fakes import FakeClock

MORE_THAN_ANY_DISK = 1 << 60
CAP_BYTES = 1024
A, B, C = JobId("aaaaa"), JobId("bbbbb"), JobId("ccccc")


@dataclass
class Promise:
    promised_bytes: int = 0
    written_bytes: int = 0
    waits_for_room_since: float | None = None


class Disk:
    """A guard over a folder, with jobs that need no more than their promises."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.root, self.clock = root, FakeClock()
        self.jobs: dict[JobId, Promise] = {}
        self.called: list[JobId] = []
        settings = {"reserve_bytes": 0, "floor_bytes": 0, **settings}
        self.guard = DiskGuard(
            files=JobFiles(root),
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


async def test_room_beside_a_finished_job_is_promised_and_given_back(disk: Disk) -> None:
    async with disk.guard.aside(600):
        with pytest.raises(Rejected):
            await disk.guard.check(500)
        with pytest.raises(NoRoom):
            async with disk.guard.aside(500):
                pass
    disk.clock.move(seconds=LOOK_EVERY_S)
    await disk.guard.check(CAP_BYTES)


async def test_what_was_written_beside_a_finished_job_counts_until_it_is_found(disk: Disk) -> None:
    await disk.guard.check()
    async with disk.guard.aside(600):
        disk.write(A, 600)
    with pytest.raises(Rejected):
        await disk.guard.check(500)
    disk.clock.move(seconds=LOOK_EVERY_S)
    with pytest.raises(Rejected):
        await disk.guard.check(500)
    await disk.guard.check(424)
