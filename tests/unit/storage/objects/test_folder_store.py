"""A shared folder; buckets, which need a service, are tested in tests/integration."""

import asyncio
import errno
import os
import shutil
import stat
from pathlib import Path

import pytest

from bot.domain.errors import ObjectMissing, ObjectStoreUnavailable
from storage.objects.object_store import MARKER, ForeignObjectStore, ObjectStore
from storage.objects.store_opening import open_object_store


@pytest.fixture
def share(tmp_path: Path) -> Path:
    folder = tmp_path / "share"
    folder.mkdir()
    return folder


@pytest.fixture
async def store(share: Path) -> ObjectStore:
    store = open_object_store(share.as_uri(), {})
    await store.prepare("ours")
    return store


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song"
    path.write_bytes(b"la" * 100)
    return path


async def test_a_folder_that_is_not_mounted_is_waited_for(share: Path):
    store = open_object_store(share.as_uri(), {})
    share.rmdir()
    with pytest.raises(ObjectStoreUnavailable, match="does not exist"):
        await store.prepare("ours")
    assert not share.exists()
    share.mkdir()
    await store.prepare("ours")
    await store.check()


async def test_an_empty_folder_is_not_a_store_without_objects(
    store: ObjectStore, share: Path, song: Path, tmp_path: Path
):
    await store.put(song, "jobs/a/song")
    shutil.rmtree(share)
    share.mkdir()
    with pytest.raises(ObjectStoreUnavailable, match=MARKER):
        await store.get("jobs/a/song", tmp_path / "back")
    with pytest.raises(ObjectStoreUnavailable, match=MARKER):
        await store.size("jobs/a/song")
    with pytest.raises(ObjectStoreUnavailable, match=MARKER):
        await store.put(song, "jobs/a/song")
    assert not list(share.iterdir())


async def test_drafts_of_a_killed_process_are_removed_too(
    store: ObjectStore, share: Path, song: Path
):
    await store.put(song, "jobs/a/song")
    (share / "jobs/a/song#1").write_bytes(b"half")
    assert await store.keys_under("jobs") == ["jobs/a/song"]
    await store.remove_under("jobs/a")
    assert not (share / "jobs/a").exists()


@pytest.mark.parametrize("prefix", ["", "/", "..", "jobs/../..", "/etc"])
async def test_nothing_outside_a_prefix_is_removed(store: ObjectStore, share: Path, prefix: str):
    with pytest.raises(ValueError, match="not a prefix"):
        await store.remove_under(prefix)
    assert share.exists()


async def test_a_cancelled_get_leaves_no_file(store: ObjectStore, song: Path, tmp_path: Path):
    song.write_bytes(b"x" * 30_000_000)
    await store.put(song, "jobs/a/song")
    into = tmp_path / "back"
    into.mkdir()
    for pause_s in (0, 0.001, 0.005):
        get = asyncio.create_task(store.get("jobs/a/song", into / "song"))
        await asyncio.sleep(pause_s)
        get.cancel()
        await asyncio.gather(get, return_exceptions=True)
        assert get.cancelled()
    assert not list(into.iterdir())


async def test_a_get_that_fails_keeps_the_file_that_was_there(store: ObjectStore, tmp_path: Path):
    into = tmp_path / "back"
    into.write_bytes(b"old")
    with pytest.raises(ObjectMissing):
        await store.get("jobs/a/song", into)
    assert into.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir() if "back" in path.name] == ["back"]


async def test_a_store_of_another_database_is_refused(store: ObjectStore, share: Path):
    with pytest.raises(ForeignObjectStore, match="belongs to another database"):
        await store.prepare("theirs")
    await store.prepare("ours")
    (share / MARKER).unlink()
    await store.prepare("theirs")


async def test_objects_and_the_marker_are_on_the_disk_with_their_new_folders(
    share: Path, song: Path, monkeypatch: pytest.MonkeyPatch
):
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda each: synced.append(os.fstat(each).st_ino))
    store = open_object_store(share.as_uri(), {})
    await store.prepare("ours")
    assert synced == _inodes(share / MARKER, share)
    synced.clear()
    await store.put(song, "jobs/a/song")
    assert synced == _inodes(share / "jobs/a/song", share / "jobs/a", share / "jobs", share)
    synced.clear()
    await store.copy("jobs/a/song", "jobs/b/song")
    assert synced == _inodes(share / "jobs/b/song", share / "jobs/b", share / "jobs", share)


def _inodes(*paths: Path) -> list[int]:
    return [path.stat().st_ino for path in paths]


async def test_an_object_that_is_removed_while_it_is_put_is_put_again(
    store: ObjectStore, share: Path, song: Path, monkeypatch: pytest.MonkeyPatch
):
    def removed(_: int) -> None:
        shutil.rmtree(share / "jobs")

    monkeypatch.setattr(os, "fsync", removed)
    with pytest.raises(ObjectStoreUnavailable, match="lost an object"):
        await store.put(song, "jobs/a/song")


async def test_a_marker_that_a_crash_left_empty_is_written_again(store: ObjectStore, share: Path):
    (share / MARKER).write_bytes(b"")
    await store.prepare("ours")
    assert (share / MARKER).read_text() == "ours\n"


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EACCES])
async def test_a_file_system_that_syncs_no_folders_is_a_store_too(
    share: Path, song: Path, monkeypatch: pytest.MonkeyPatch, number: int
):
    def refuse(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    store = open_object_store(share.as_uri(), {})
    await store.prepare("ours")
    await store.put(song, "jobs/a/song")
    assert await store.size("jobs/a/song") == song.stat().st_size


async def test_a_disk_that_fails_to_sync_a_folder_is_waited_for(
    store: ObjectStore, song: Path, monkeypatch: pytest.MonkeyPatch
):
    def fail(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ObjectStoreUnavailable):
        await store.put(song, "jobs/a/song")
