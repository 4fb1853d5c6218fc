from pathlib import Path

import pytest

from bot.domain.job import JobId
from bot.domain.stems import Stem
from storage.files import JobDir, JobFiles

JOB = JobId("k7f2q")


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
