import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from bot.domain.errors import ObjectStoreUnavailable
from bot.domain.job import JobId
from bot.domain.recipes import Stem
from storage.files.job_files import JobDir
from storage.objects.object_store import MARKER
from storage.objects.shared_job_files import UNUSED_S, SharedJobFiles
from tests.support.object_stores import LeavingStore, folder_store

JOB = JobId("k7f2q")
OTHER = JobId("other")
STEMS = (Stem.VOCALS, Stem.INSTRUMENTAL)


@pytest.fixture
def share(tmp_path: Path) -> Path:
    return tmp_path / "share"


@pytest.fixture
def store(share: Path) -> LeavingStore:
    return LeavingStore(folder_store(share))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "jobs"


@pytest.fixture
async def files(root: Path, store: LeavingStore) -> SharedJobFiles:
    files = SharedJobFiles(root, store, owner="tests")
    await files.claim_store()
    return files


async def kept(files: SharedJobFiles, job_id: JobId = JOB, *, size: int = 1000) -> JobDir:
    """Store the masters of a ready job."""
    where = await files.prepare(job_id)
    for path in (*(where.master(stem) for stem in STEMS), where.cover):
        path.write_bytes(os.urandom(size))
    await files.settle(job_id)
    return where


def contents(paths: Iterable[Path]) -> list[bytes]:
    return [path.read_bytes() for path in paths]


def stored(share: Path) -> set[str]:
    return {str(path.relative_to(share)) for path in share.rglob("*") if path.is_file()} - {MARKER}


async def test_masters_come_back_to_an_empty_disk(files: SharedJobFiles, root: Path):
    where = await kept(files)
    paths = [where.master(Stem.VOCALS), where.master(Stem.INSTRUMENTAL), where.cover]
    before = contents(paths)
    shutil.rmtree(root)
    assert await files.holds(JOB, STEMS)
    assert await files.bytes_elsewhere(JOB, STEMS) == 2000
    await files.bring(JOB, STEMS)
    assert contents(paths) == before
    assert await files.bytes_elsewhere(JOB, STEMS) == 0


async def test_only_what_is_missing_is_fetched(files: SharedJobFiles, store: LeavingStore):
    where = await kept(files)
    where.master(Stem.VOCALS).unlink()
    store.calls.clear()
    await files.bring(JOB, STEMS)
    assert store.calls.count("get") == 2  # the master and the cover
    store.calls.clear()
    await files.bring(JOB, STEMS)
    assert store.calls == []


async def test_masters_that_were_left_half_made_are_replaced(
    files: SharedJobFiles, store: LeavingStore, root: Path
):
    where = await kept(files)
    before = where.master(Stem.VOCALS).read_bytes()
    where.master(Stem.VOCALS).write_bytes(b"half")
    restarted = SharedJobFiles(root, store, owner="tests")
    assert await restarted.holds(JOB, STEMS)
    assert await restarted.bytes_elsewhere(JOB, STEMS) == 1000
    await restarted.bring(JOB, STEMS)
    assert where.master(Stem.VOCALS).read_bytes() == before
    store.is_away = True
    await restarted.bring(JOB, STEMS)  # checked immediately


async def test_masters_from_before_the_store_are_kept(files: SharedJobFiles):
    where = await files.prepare(JOB)
    for stem in STEMS:
        where.master(stem).write_bytes(b"older")
    assert await files.holds(JOB, STEMS)
    await files.bring(JOB, STEMS)
    assert where.master(Stem.VOCALS).read_bytes() == b"older"


async def test_what_is_nowhere_is_gone_and_leaves_no_folder(files: SharedJobFiles, root: Path):
    assert not await files.holds(JOB, STEMS)
    with pytest.raises(FileNotFoundError):
        await files.bring(JOB, STEMS)
    assert not root.exists()
    assert await files.find_elsewhere(files.of(JOB).input) is None


async def test_a_store_that_is_away_is_not_an_empty_one(
    files: SharedJobFiles, store: LeavingStore, root: Path, share: Path
):
    where = await kept(files)
    shutil.rmtree(root)
    store.is_away = True
    with pytest.raises(ObjectStoreUnavailable):
        await files.holds(JOB, STEMS)
    store.is_away = False
    shutil.rmtree(share)
    share.mkdir()  # an empty mount point
    song = where.input
    for call in (files.holds(JOB, STEMS), files.bring(JOB, STEMS), files.find_elsewhere(song)):
        with pytest.raises(ObjectStoreUnavailable):
            await call


async def test_the_song_is_kept_until_the_masters_are(
    files: SharedJobFiles, store: LeavingStore, root: Path, share: Path
):
    where = await files.prepare(JOB)
    where.input.write_bytes(b"song")
    await files.keep_input(JOB)
    puts = store.calls.count("put")
    await files.keep_input(JOB)
    assert store.calls.count("put") == puts
    shutil.rmtree(root)
    assert await files.has_input(JOB)
    await files.prepare(JOB)
    await files.bring_input(JOB)
    assert where.input.read_bytes() == b"song"
    await kept(files)
    await files.drop_work(JOB)
    assert not await files.has_input(JOB)
    assert stored(share) == {
        "jobs/k7f2q/cover.jpg",
        "jobs/k7f2q/masters/instrumental.flac",
        "jobs/k7f2q/masters/vocals.flac",
    }


async def test_a_song_that_cannot_be_removed_goes_with_its_stems(
    files: SharedJobFiles, store: LeavingStore, share: Path
):
    where = await files.prepare(JOB)
    where.input.write_bytes(b"song")
    await files.keep_input(JOB)
    store.is_away = True
    await files.drop_work(JOB)
    assert not where.input.exists()
    store.is_away = False
    await files.remove(JOB)
    assert stored(share) == set()


async def test_removal_is_complete_and_repeatable(
    files: SharedJobFiles, store: LeavingStore, share: Path
):
    where = await kept(files)
    await kept(files, OTHER)
    store.is_away = True
    with pytest.raises(ObjectStoreUnavailable):
        await files.remove(JOB)
    assert not where.path.exists()
    store.is_away = False
    for _ in range(2):
        await files.remove(JOB)
    assert {key.split("/")[1] for key in stored(share)} == {OTHER}


async def test_a_repeat_takes_masters_from_the_store(
    files: SharedJobFiles, root: Path, share: Path
):
    theirs = await kept(files)
    before = contents([theirs.master(Stem.VOCALS), theirs.cover])
    shutil.rmtree(root)
    own = await files.prepare(OTHER)
    await files.take_over(JOB, OTHER, STEMS, with_linked=True)
    await files.settle(OTHER)
    assert contents([own.master(Stem.VOCALS), own.cover]) == before
    assert "jobs/other/masters/vocals.flac" in stored(share)
    await files.remove(JOB)
    with pytest.raises(FileNotFoundError):
        await files.take_over(JOB, OTHER, STEMS, with_linked=True)


async def test_linked_files_are_served_from_the_store(
    files: SharedJobFiles, store: LeavingStore, root: Path
):
    where = await kept(files)
    (where.linked / "vocals.mp3").write_bytes(b"0123456789")
    await files.keep_linked(JOB)
    puts = store.calls.count("put")
    await files.keep_linked(JOB)
    assert store.calls.count("put") == puts
    shutil.rmtree(root)
    assert await files.linked_names(JOB) == {"vocals.mp3"}
    found = await files.find_elsewhere(where.linked / "vocals.mp3")
    assert found is not None
    assert found.size_bytes == 10
    assert b"".join([part async for part in found.read(2, 5)]) == b"234"


async def test_older_renditions_and_files_of_several_songs_are_dropped_in_the_store_too(
    files: SharedJobFiles, share: Path
):
    where = await kept(files)
    for age, name in enumerate(("vocals.new.mp3", "vocals.old.mp3", "vocals.mp3", "songs-mp3.zip")):
        (where.linked / name).write_bytes(b"x")
        os.utime(where.linked / name, (1000 - age, 1000 - age))
    await files.keep_linked(JOB)
    await files.drop_old_renditions(JOB, keep=1)
    await files.drop_linked_songs([JOB])
    linked = {key.rsplit("/", 1)[-1] for key in stored(share) if "linked" in key}
    assert linked == {"vocals.new.mp3", "vocals.mp3"}


async def test_room_is_made_by_dropping_the_oldest_copies(
    files: SharedJobFiles, root: Path, share: Path
):
    for number, job_id in enumerate(("oldest", "middle", "newest")):
        where = await kept(files, JobId(job_id))
        (where.packs).mkdir()
        (where.packs / "0.opus").write_bytes(b"can be made again")
        os.utime(where.path, (1000 + number, 1000 + number))
    before = stored(share)
    assert await files.make_room(4000, in_use={JobId("middle")})
    assert [path.name for path in root.iterdir()] == ["middle"]
    assert stored(share) == before
    await files.bring(JobId("oldest"), STEMS)


async def test_copies_that_are_needed_or_are_the_only_ones_stay(
    files: SharedJobFiles, store: LeavingStore, root: Path
):
    await kept(files, JobId("used"))
    await files.bring(JobId("used"), STEMS)
    work = await kept(files, JobId("atwork"))
    (work.parcel / "encoded.mp3").write_bytes(b"being sent")
    where = await files.prepare(JobId("alone"))
    where.master(Stem.VOCALS).write_bytes(b"not in the store")
    await kept(files, JobId("done"))
    store.is_away = True
    assert not await files.make_room(1, in_use=())
    assert len(list(root.iterdir())) == 4
    store.is_away = False
    assert not await files.make_room(1, in_use=())  # not searched again so soon


async def test_only_complete_copies_are_dropped(files: SharedJobFiles, root: Path):
    assert UNUSED_S > 60
    await kept(files, JobId("used"))
    await files.bring(JobId("used"), STEMS)
    work = await kept(files, JobId("atwork"))
    (work.parcel / "encoded.mp3").write_bytes(b"being sent")
    where = await files.prepare(JobId("alone"))
    where.master(Stem.VOCALS).write_bytes(b"not in the store")
    await kept(files, JobId("done"))
    assert await files.make_room(10**9, in_use=())
    assert {path.name for path in root.iterdir()} == {"used", "atwork", "alone"}


async def test_a_copy_is_made_within_the_store_if_it_has_the_file(
    files: SharedJobFiles, store: LeavingStore, share: Path
):
    master = (await kept(files)).master(Stem.VOCALS)
    store.calls.clear()
    await files.put_copy(master, "audio/a/in-0")
    assert store.calls == ["size", "copy"]
    assert (share / "audio/a/in-0").read_bytes() == master.read_bytes()


async def test_a_file_that_the_store_has_otherwise_or_not_at_all_is_put(
    files: SharedJobFiles, store: LeavingStore, share: Path, tmp_path: Path
):
    master = (await kept(files)).master(Stem.VOCALS)
    master.write_bytes(b"longer" * 1000)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"of no job")
    for number, path in enumerate((master, elsewhere)):
        await files.put_copy(path, f"audio/a/in-{number}")
        assert (share / f"audio/a/in-{number}").read_bytes() == path.read_bytes()


async def test_a_file_is_put_where_the_store_makes_no_copies(
    files: SharedJobFiles, store: LeavingStore, share: Path
):
    master = (await kept(files)).master(Stem.VOCALS)
    store.calls.clear()
    store.away_at = {1}
    await files.put_copy(master, "audio/a/in-0")
    assert store.calls == ["size", "copy", "put"]
    assert (share / "audio/a/in-0").exists()
