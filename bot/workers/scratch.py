"""A folder for the files of one worker process, which the next process removes after a kill."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.files.ownership import DataUnusable, why_unusable

_LOCK = "lock"


@contextmanager
def scratch_folder(home: Path, name: str) -> Iterator[Path]:
    """Remove dead processes' folders in `home`; yield a new one and remove it.

    Raises DataUnusable with the path and a fix for the operator.
    """
    folder = home / name
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _one_at_a_time(home):
            descriptor = _made(home, folder)
    except OSError as exc:
        raise DataUnusable(why_unusable(folder, exc)) from exc
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


@contextmanager
def _one_at_a_time(home: Path) -> Iterator[None]:
    """Wait for other processes that start: a folder looks abandoned until its lock is taken."""
    descriptor = os.open(home, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _made(home: Path, folder: Path) -> int:
    """Make and lock the folder, and return the descriptor of its lock's file."""
    for other in home.iterdir():
        if _is_abandoned(other):
            shutil.rmtree(other, ignore_errors=True)
    folder.mkdir(mode=0o700)
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _is_abandoned(folder: Path) -> bool:
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR)
    except OSError:
        return False  # its process is just starting, or has just removed it
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
