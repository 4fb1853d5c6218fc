"""Explains in one line why a file or folder is unusable and how the operator can fix it."""

import errno
import os
import pwd
import stat
from pathlib import Path

from bot.domain.errors import DISK_FULL

_BESIDE = ("", "-wal", "-shm")
"""Suffixes of the files that SQLite writes. Each file may have a different owner."""
_ELSEWHERE = "or set STEMCORD_DATA_DIR to another folder"


class DataUnusable(Exception):
    """A file or folder of the bot is unusable. The message is a sentence for the operator."""


def why_unusable(path: Path, error: OSError | None = None) -> str:
    """Explain why this user cannot write `path`, and how to fix it."""
    code = error.errno if error is not None else None
    if code in DISK_FULL:
        return f"{path}: the disk is full."
    found = _nearest(path)
    is_in_the_way = found != path or code in {errno.EEXIST, errno.ENOTDIR}
    if is_in_the_way and not found.is_dir():
        return f"{found} is a file where a folder is needed; move it away, {_ELSEWHERE}."
    if code == errno.EROFS or os.statvfs(found).f_flag & os.ST_RDONLY:
        return f"{path} is on a read-only file system; mount it writable, {_ELSEWHERE}."
    blocked = _unwritable(found)
    if blocked is None:
        return f"{path} cannot be used: {error.strerror if error else 'it cannot be opened'}."
    about, folder = blocked.stat(), blocked if blocked.is_dir() else blocked.parent
    return (
        f"{blocked} cannot be written by {_user(os.geteuid())}: it belongs to "
        f"{_user(about.st_uid)}, mode {stat.S_IMODE(about.st_mode):04o}. Run "
        f"`chown -R {os.geteuid()} {folder}` as root, {_ELSEWHERE}."
    )


def is_writable(path: Path) -> bool:
    """Return whether file modes let this user write or create a database at `path`."""
    return path.parent.is_dir() and _unwritable(path) is None


def _nearest(path: Path) -> Path:
    """Return the path if it exists, or else its nearest existing parent."""
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    return path


def _unwritable(path: Path) -> Path | None:
    candidates = (path.with_name(path.name + ending) for ending in _BESIDE if path.name)
    existing = (each for each in (*candidates, path.parent) if each.exists())
    return next((each for each in existing if not os.access(each, os.W_OK)), None)


def _user(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"
