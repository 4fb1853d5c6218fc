import asyncio
import os
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from bot.domain.job import JobId
from bot.domain.recipes import Stem
from storage.files import job_files
from storage.files.job_files import JobDir, JobFiles

JOB = JobId("k7f2q")
OTHER = JobId("other")


@pytest.fixture
def files(tmp_path: Path) -> JobFiles:
    return JobFiles(tmp_path / "jobs")


async def filled(files: JobFiles, job_id: JobId = JOB) -> JobDir:
    where = await files.prepare(job_id)
    for path in (
        where.input,
        where.mixture,
        where.work / "spool.f32",
        where.master(Stem.VOCALS),
        where.parcel / "Neon Rain (Vocals).mp3",
    ):
        path.write_bytes(b"x" * 100)
    return where


def names(where: JobDir) -> set[str]:
    return {path.name for path in where.path.rglob("*") if path.is_file()}


async def test_preparing_again_keeps_what_is_there(files: JobFiles, tmp_path: Path):
    where = await filled(files)
    assert await files.prepare(JOB) == where
    assert len(names(where)) == 5
    assert where.master(Stem.VOCALS) == tmp_path / "jobs" / "k7f2q" / "masters" / "vocals.flac"


async def test_dropping_the_work_leaves_masters_and_parcel(files: JobFiles):
    where = await filled(files)
    for _ in range(2):
        await files.drop_work(JOB)
        assert names(where) == {"vocals.flac", "Neon Rain (Vocals).mp3"}


async def test_dropping_the_work_takes_drafts_that_a_crash_left(files: JobFiles):
    where = await filled(files)
    (where.path / "input.x7dk2").write_bytes(b"half of it")
    await files.drop_work(JOB)
    assert names(where) == {"vocals.flac", "Neon Rain (Vocals).mp3"}


async def test_dropping_the_parcel_leaves_the_masters(files: JobFiles):
    where = await filled(files)
    await files.drop_work(JOB)
    for _ in range(2):
        await files.drop_parcel(JOB)
        assert names(where) == {"vocals.flac"}


async def test_removing_takes_one_job_alone(files: JobFiles):
    where, other = await filled(files), await filled(files, JobId("aaaaa"))
    for _ in range(2):
        await files.remove(JOB)
        assert not where.path.exists()
    assert len(names(other)) == 5


async def test_removing_does_not_follow_a_link_out(files: JobFiles, tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("")
    where = await files.prepare(JOB)
    (where.work / "link").symlink_to(outside)
    await files.remove(JOB)
    assert (outside / "precious").exists()


async def test_used_bytes_count_every_file(files: JobFiles):
    assert await files.used_bytes() == 0
    await filled(files)
    await filled(files, JobId("aaaaa"))
    assert await files.used_bytes() == 1000
    await files.drop_work(JOB)
    assert await files.used_bytes() == 700


async def test_orphans_are_directories_of_unknown_jobs(files: JobFiles, tmp_path: Path):
    assert await files.orphans(()) == []
    for job_id in ("aaaaa", "bbbbb", "ccccc"):
        await files.prepare(JobId(job_id))
    (tmp_path / "jobs" / "lost+found").mkdir()
    (tmp_path / "jobs" / "ddddd").write_text("not a directory")
    assert await files.orphans({JobId("bbbbb")}) == ["aaaaa", "ccccc"]


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/etc", "a\0", "K7F2Q", "a" * 33])
def test_an_id_cannot_lead_out_of_the_root(files: JobFiles, name: str):
    with pytest.raises(ValueError, match="not a job id"):
        files.of(JobId(name))


async def test_a_scratch_folder_is_of_one_user_only_and_goes_with_them(files: JobFiles):
    where = await files.prepare(JOB)
    async with files.scratch(JOB, "one") as one, files.scratch(JOB, "two") as two:
        assert {one, two} == {where.parcel / "one", where.parcel / "two"}
        (one / "a.mp3").touch()
    assert not any(where.parcel.iterdir())


async def test_dropping_the_parcel_leaves_a_scratch_folder_in_use(files: JobFiles):
    where = await filled(files)
    async with files.scratch(JOB, "one") as one:
        (one / "a.mp3").touch()
        await files.drop_parcel(JOB)
        assert [path.name for path in where.parcel.rglob("*")] == ["one", "a.mp3"]


async def test_a_scratch_folder_goes_even_if_its_user_is_cancelled_while_it_is_made(
    files: JobFiles, monkeypatch: pytest.MonkeyPatch
):
    where = await filled(files)
    begun, go_on = threading.Event(), threading.Event()
    make = job_files._make_in

    def slowly(*folders: Path) -> None:
        begun.set()
        assert go_on.wait(5)
        make(*folders)

    monkeypatch.setattr(job_files, "_make_in", slowly)

    async def use() -> None:
        async with files.scratch(JOB, "one"):
            raise AssertionError("its user was cancelled")

    using = asyncio.create_task(use())
    await asyncio.to_thread(begun.wait, 5)
    using.cancel()
    await asyncio.sleep(0.01)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await using
    await asyncio.get_running_loop().shutdown_default_executor()  # what was begun has ended
    assert not (where.parcel / "one").exists()


async def test_a_job_without_files_has_no_scratch_folder(files: JobFiles):
    with pytest.raises(FileNotFoundError):
        async with files.scratch(JOB, "one"):
            pytest.fail("there is nothing to encode")
    assert not files.of(JOB).path.exists()


async def test_packs_lie_with_the_job_until_it_is_removed(files: JobFiles):
    await filled(files)
    packs = await files.packs_folder(JOB)
    (packs / "0.opus").write_bytes(b"x" * 50)
    await files.drop_work(JOB)
    await files.drop_parcel(JOB)
    assert await files.packs_folder(JOB) == packs
    assert [path.name for path in packs.iterdir()] == ["0.opus"]
    assert (await files.sizes())[JOB] == 150
    await files.remove(JOB)
    with pytest.raises(FileNotFoundError):
        await files.packs_folder(JOB)
    assert not files.of(JOB).path.exists()


async def test_masters_that_are_taken_over_outlive_the_first(files: JobFiles):
    first, second = await files.prepare(JOB), await files.prepare(OTHER)
    first.master(Stem.VOCALS).write_bytes(b"flac")
    await files.take_over(JOB, OTHER, [Stem.VOCALS], with_linked=True)
    await files.take_over(JOB, OTHER, [Stem.VOCALS], with_linked=True)
    await files.remove(JOB)
    assert second.master(Stem.VOCALS).read_bytes() == b"flac"
    with pytest.raises(FileNotFoundError):
        await files.take_over(JOB, OTHER, [Stem.VOCALS], with_linked=True)


async def test_masters_are_taken_over_together_or_not_at_all(files: JobFiles):
    first = await files.prepare(JOB)
    await files.prepare(OTHER)
    first.master(Stem.VOCALS).write_bytes(b"flac")
    with pytest.raises(FileNotFoundError):
        await files.take_over(JOB, OTHER, [Stem.VOCALS, Stem.INSTRUMENTAL], with_linked=True)


async def test_masters_that_cannot_be_linked_are_copied(files: JobFiles, tmp_path: Path):
    first = await files.prepare(JOB)
    first.master(Stem.VOCALS).write_bytes(b"flac")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        if Path(elsewhere).stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("there is one file system only")
        files.of(OTHER).path.symlink_to(elsewhere)
        second = await files.prepare(OTHER)
        await files.take_over(JOB, OTHER, [Stem.VOCALS], with_linked=True)
        assert second.master(Stem.VOCALS).read_bytes() == b"flac"


async def test_equal_files_have_equal_digests(files: JobFiles):
    for job_id, content in ((JOB, b"a"), (JobId("same2"), b"a"), (JobId("other"), b"b")):
        (await files.prepare(job_id)).input.write_bytes(content)
    digests = [await files.digest(JobId(each)) for each in (JOB, "same2", "other")]
    assert digests[0] == digests[1] != digests[2]


async def test_a_job_is_removed_though_showings_of_it_come_and_go(files: JobFiles):
    async def show(name: str) -> None:
        with suppress(FileNotFoundError):
            while True:
                async with files.scratch(JOB, name) as folder:
                    (folder / "Neon Rain (Vocals).flac").write_bytes(b"x")

    for _ in range(20):
        where = await filled(files)
        async with asyncio.TaskGroup() as showings:
            for name in ("one", "two", "three"):
                showings.create_task(show(name))
            await asyncio.sleep(0.005)
            await files.remove(JOB)
        assert not where.path.exists()


async def test_links_keep_the_stems_and_the_newest_renditions(files: JobFiles):
    where = await filled(files)
    for age, name in enumerate(
        (
            *("vocals.k1.mp3", "drums.k1.mp3", "vocals.k2.s90.mp3", "all-mp3.k3.zip"),
            *("vocals.mp3", "drums.flac"),
        )
    ):
        path = where.linked / name
        path.write_bytes(b"x")
        os.utime(path, (1_000 - age, 1_000 - age))
    os.utime(where.linked / "drums.k1.mp3", (10, 10))
    await files.drop_old_renditions(JOB, keep=2)
    assert {path.name for path in where.linked.iterdir()} == {
        *("vocals.k1.mp3", "drums.k1.mp3", "vocals.k2.s90.mp3"),
        *("vocals.mp3", "drums.flac"),
    }
    await files.drop_old_renditions(JOB, keep=0)
    assert {path.name for path in where.linked.iterdir()} == {"vocals.mp3", "drums.flac"}


async def test_files_are_on_this_disk_or_nowhere(files: JobFiles):
    where = await filled(files)
    (where.linked / "vocals.mp3").write_bytes(b"x")
    stems = [Stem.VOCALS, Stem.INSTRUMENTAL]
    assert not files.is_shared
    assert await files.has_input(JOB)
    assert await files.linked_names(JOB) == {"vocals.mp3"}
    before = names(where)
    await files.keep_input(JOB)
    await files.keep_linked(JOB)
    await files.bring(JOB, stems)
    await files.bring_input(JOB)
    assert await files.bytes_elsewhere(JOB, stems) == 0
    assert await files.find_elsewhere(where.master(Stem.INSTRUMENTAL)) is None
    assert not await files.make_room(1, in_use=())
    assert names(where) == before

    await files.remove(JOB)
    assert not await files.has_input(JOB)
    assert await files.linked_names(JOB) == frozenset()
    with pytest.raises(FileNotFoundError):
        await files.bring_input(JOB)
