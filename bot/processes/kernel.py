"""Linux system calls that Python does not wrap, made through ctypes."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38

_libc = ctypes.CDLL(None, use_errno=True)


def prctl(option: int, argument: int) -> None:
    """Change an attribute of the calling process; raises OSError."""
    _checked(_libc.prctl(option, *(ctypes.c_ulong(each) for each in (argument, 0, 0, 0))))


def syscall(number: int, *arguments: object) -> int:
    """Make a system call with integers, bytes, None and ctypes objects; raises OSError."""
    converted = (ctypes.c_long(each) if isinstance(each, int) else each for each in arguments)
    return _checked(_libc.syscall(ctypes.c_long(number), *converted))


def die_with_parent(parent: int | None = None) -> None:
    """Have the kernel kill this process when its parent ends for any reason.

    If `parent` is given and that process is already gone, this one exits at once.
    """
    if sys.platform == "linux":
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:
        os._exit(1)


def hide_memory() -> None:
    """Keep other processes of this user from reading this one's memory and environment.

    This also disables core dumps. Children do not inherit it.
    """
    prctl(_PR_SET_DUMPABLE, 0)


def gain_no_privileges() -> None:
    """Keep this process and programs that it starts from gaining privileges."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _checked(result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
