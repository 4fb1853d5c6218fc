"""Landlock: limits the files that a process may use, and denies it TCP.

The numbers are from https://docs.kernel.org/userspace-api/landlock.html and are the same on every
architecture.
"""

import os
import stat
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import IntFlag
from pathlib import Path

from bot.processes.kernel import syscall

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_PATH_BENEATH = 1
_O_PATH = getattr(os, "O_PATH", 0)


class Access(IntFlag):
    """Access rights to a file or to everything below a folder."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14
    IOCTL_DEV = 1 << 15


READ = Access.READ_FILE | Access.READ_DIR
WRITE = READ | Access.WRITE_FILE | Access.TRUNCATE | Access.MAKE_REG | Access.REMOVE_FILE
"""Read, and create, write and delete plain files. Folders, links, devices and moves between folders
remain denied."""

_OF_FILES = Access.READ_FILE | Access.WRITE_FILE | Access.TRUNCATE | Access.IOCTL_DEV
_ALL_TCP = 0b11
_ALL_SCOPES = 0b11  # abstract sockets and signals
_TCP_SINCE, _SCOPES_SINCE = 4, 6


def version() -> int:
    """Return the version of the kernel's Landlock interface; 0 if it has none."""
    try:
        return syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)
    except OSError:
        return 0


def limits_tcp(abi: int) -> bool:
    """Whether this version can deny a process TCP."""
    return abi >= _TCP_SINCE


def limits_signals(abi: int) -> bool:
    """Whether this version can keep a process from signalling others."""
    return abi >= _SCOPES_SINCE


def restrict(abi: int, rules: Iterable[tuple[Path, Access]]) -> None:
    """Limit the calling thread, and those it starts, to the files of the rules, permanently.

    Paths that do not exist are skipped and stay denied if they are created later.
    """
    with _closed(syscall(_CREATE_RULESET, *_handled(abi), 0)) as ruleset:
        for path, access in rules:
            _add(ruleset, path, access & _known(abi))
        syscall(_RESTRICT_SELF, ruleset, 0)


def _known(abi: int) -> Access:
    newer = {2: Access.REFER, 3: Access.TRUNCATE, 5: Access.IOCTL_DEV}
    known = ~Access(0)
    for since, access in newer.items():
        if abi < since:
            known &= ~access
    return known


def _handled(abi: int) -> tuple[bytes, int]:
    """Return the ruleset's attributes and their size; older kernels refuse newer fields."""
    fields = [int(_known(abi))]
    if limits_tcp(abi):
        fields.append(_ALL_TCP)
    if limits_signals(abi):
        fields.append(_ALL_SCOPES)
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    return attributes, len(attributes)


def _add(ruleset: int, path: Path, access: Access) -> None:
    try:
        opened = os.open(path, _O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    with _closed(opened) as place:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            access &= _OF_FILES
        syscall(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", access, place), 0)


@contextmanager
def _closed(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)
