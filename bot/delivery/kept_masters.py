"""Brings masters to this disk, within the space that the disk guard lends."""

from contextlib import nullcontext

from bot.accounts.disk_guard import DiskGuard
from bot.domain.job import Job
from storage.files.job_files import JobFiles


async def bring_masters(job: Job, files: JobFiles, disk_guard: DiskGuard) -> None:
    """Have a finished job's masters on this disk.

    Raises NoRoom, StoreUnavailable, and FileNotFoundError when they are gone.
    """
    size_bytes = await files.bytes_elsewhere(job.id, job.stems)
    async with disk_guard.lend(size_bytes) if size_bytes else nullcontext():
        await files.bring(job.id, job.stems)
