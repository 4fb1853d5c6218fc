"""Planted bugs in the object store and in the files that it holds."""

from tests.planted.plant import Plant

_STORES = "storage/objects/obstore_base.py"
_SHARED = "storage/objects/shared_job_files.py"
_STORE_TESTS = ("tests/unit/storage/objects/test_folder_store.py",)
_SHARED_TESTS = ("tests/unit/storage/objects/test_shared_job_files.py",)
_LOST_DISKS = ("tests/integration/test_lost_disks.py",)

OBJECTS = (
    Plant(
        name="a store that is not there has no objects",
        file=_STORES,
        old="            await self.check()\n            return None\n",
        new="            return None\n",
        tests=_STORE_TESTS,
    ),
    Plant(
        name="a store of another database is taken over",
        file=_STORES,
        old="if found not in {None, owner}:",
        new='if found == "":',
        tests=_STORE_TESTS,
    ),
    Plant(
        name="masters are charged before they are stored",
        file=_SHARED,
        old="self._put(await asyncio.to_thread(_masters_and_cover, self.of(job_id)))",
        new="asyncio.to_thread(_masters_and_cover, self.of(job_id))",
        tests=_LOST_DISKS,
    ),
    Plant(
        name="objects outlive their job",
        file=_SHARED,
        old='            await self._store.remove_under(f"{_JOBS}/{job_id}")\n',
        new="",
        tests=_SHARED_TESTS,
    ),
    Plant(
        name="the only copies are dropped for room",
        file=_SHARED,
        old="!= size_bytes:\n                        return 0\n",
        new="== -1:\n                        return 0\n",
        tests=_SHARED_TESTS,
    ),
    Plant(
        name="results are fetched again for each try of the store",
        file="bot/jobs/poll.py",
        old="            if made is None:\n",
        new="            if made is None or made:\n",
        tests=_LOST_DISKS,
    ),
    Plant(
        name="a restored song may have any length",
        file="bot/jobs/intake.py",
        old="if (await self._decode(job, frames)).frames != frames:",
        new="if not (await self._decode(job, frames)).frames:",
        tests=_LOST_DISKS,
    ),
    Plant(
        name="a power failure takes the new folders of a shared folder",
        file="storage/objects/folder_store.py",
        old="        _sync_folder(folder)\n",
        new="        _sync_folder(path.parent)\n",
        tests=_STORE_TESTS,
    ),
)
