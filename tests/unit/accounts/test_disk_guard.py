"""When a new song is refused for want of room on the disk."""

from pathlib import Path

import pytest

from bot.accounts.disk_guard import LOOK_EVERY_S, DiskGuard
from bot.domain.errors import Reason, Rejected
from storage.files.job_files import JobFiles
from tests.support.fakes import FakeClock

MORE_THAN_ANY_DISK = 1 << 60


async def test_a_disk_with_little_room_left_refuses_new_jobs(tmp_path: Path) -> None:
    room = DiskGuard(
        files=JobFiles(tmp_path),
        clock=FakeClock(),
        max_gib=20,
        reserve_bytes=MORE_THAN_ANY_DISK,
    )
    with pytest.raises(Rejected) as refused:
        await room.check()
    assert refused.value.problem.reason is Reason.DISK_FULL


async def test_room_that_comes_free_is_noticed(tmp_path: Path) -> None:
    clock, kept = FakeClock(), tmp_path / "kept"
    kept.write_bytes(bytes(100))
    room = DiskGuard(files=JobFiles(tmp_path), clock=clock, max_gib=1e-9, reserve_bytes=0)
    with pytest.raises(Rejected):
        await room.check()
    kept.unlink()
    clock.move(seconds=LOOK_EVERY_S + 1)
    await room.check()
