"""A system call filter: no sockets, programs, processes or signals to others (Linux).

Listed calls fail with EPERM. All others pass, since libraries differ in what they need. The numbers
are those of x86-64 and, from asm-generic/unistd.h, of AArch64; None means that the machine lacks
the call.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Collection, Iterator, Mapping

from bot.processes.kernel import syscall

_SET_MODE_FILTER, _GET_ACTION_AVAILABLE = 1, 2
_ALL_THREADS = 1
_ALLOW = 0x7FFF_0000
_FAIL = 0x0005_0000
_REFUSE = _FAIL | errno.EPERM
_UNKNOWN = _FAIL | errno.ENOSYS

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_X32_CALLS = 0x4000_0000

_CLONE_THREAD = 0x0001_0000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_F_SETOWN, _F_SETSIG, _F_SETOWN_EX = 8, 10, 15
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

_MACHINES = {"x86_64": 0, "aarch64": 1}
_ARCHITECTURES = (0xC000_003E, 0xC000_00B7)

Call = tuple[int | None, int | None]
"""A call's numbers, one per machine in the order of `_MACHINES`."""

_SECCOMP: Call = (317, 277)
_KILL: Call = (62, 129)
_TGKILL: Call = (234, 131)
_PRLIMIT64: Call = (302, 261)
_PRCTL: Call = (157, 167)
_FCNTL: Call = (72, 25)
_IOCTL: Call = (16, 29)
_CLONE: Call = (56, 220)
_CLONE3: Call = (435, 435)

_REFUSED: Mapping[str, Call] = {
    # sockets, and io_uring, which could bypass the filter
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200),
    "listen": (50, 201), "accept": (43, 202), "accept4": (288, 242),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    # running programs, and entering other namespaces
    "execve": (59, 221), "execveat": (322, 281), "unshare": (272, 97), "setns": (308, 268),
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "kcmp": (312, 272), "process_madvise": (440, 440), "process_mrelease": (448, 448),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "shmget": (29, 194), "shmat": (30, 196), "msgget": (68, 186), "semget": (64, 190),
    "mq_open": (240, 180),
    # what Landlock does not cover: attributes of files, and truncation before version 3
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "setxattrat": (463, 463),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "removexattrat": (466, 466), "utime": (132, None), "utimes": (235, None),
    "futimesat": (261, None), "utimensat": (280, 88), "truncate": (76, 45),
    # links, devices and file handles
    "link": (86, None), "linkat": (265, 37), "symlink": (88, None), "symlinkat": (266, 36),
    "mknod": (133, None), "mknodat": (259, 33),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    # calls that change the machine as a whole
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "open_tree_attr": (467, 467), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "bpf": (321, 280), "perf_event_open": (298, 241),
    "userfaultfd": (323, 282), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "kexec_load": (246, 104), "kexec_file_load": (320, 294),
    "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "syslog": (103, 116), "iopl": (172, None),
    "ioperm": (173, None), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "clock_adjtime": (305, 266), "adjtimex": (159, 171), "sethostname": (170, 161),
    "setdomainname": (171, 162),
}  # fmt: skip

_REFUSED_TO_LEAVES: Mapping[str, Call] = {
    "fork": (57, None),
    "vfork": (58, None),
    "setsid": (112, 157),
    "setpgid": (109, 154),
    "tkill": (200, 130),
}
"""Also refused for processes that may not fork."""


def is_available() -> bool:
    """Whether the kernel supports filters and this module has numbers for the machine."""
    if sys.platform != "linux" or platform.machine() not in _MACHINES:
        return False
    try:
        syscall(_here(_SECCOMP), _GET_ACTION_AVAILABLE, 0, struct.pack("=I", _FAIL))
    except OSError:
        return False
    return True


def install(*, may_fork: bool) -> None:
    """Filter the calls of this process, all its threads and its children, permanently.

    Requires NO_NEW_PRIVS. Filters add up, so a later one cannot allow what an earlier one refuses.
    """
    program = b"".join(_program(may_fork=may_fork))
    filters = ctypes.create_string_buffer(program, len(program))
    header = _Program(len(program) // 8, ctypes.addressof(filters))
    syscall(_here(_SECCOMP), _SET_MODE_FILTER, _ALL_THREADS, ctypes.byref(header))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filters", ctypes.c_void_p))


def _here(call: Call) -> int:
    number = call[_MACHINES[platform.machine()]]
    if number is None:
        raise ValueError("this machine lacks the system call")
    return number


def _program(*, may_fork: bool) -> Iterator[bytes]:
    machine = _MACHINES[platform.machine()]
    yield _step(_LOAD, _ARCHITECTURE_AT)
    yield _step(_EQUAL, _ARCHITECTURES[machine], 1, 0)
    yield _step(_RETURN, _REFUSE)
    yield _step(_LOAD, _NUMBER_AT)
    if platform.machine() == "x86_64":
        yield _step(_AT_LEAST, _X32_CALLS, 0, 1)
        yield _step(_RETURN, _REFUSE)
    refused = _REFUSED if may_fork else {**_REFUSED, **_REFUSED_TO_LEAVES}
    for number in (call[machine] for call in refused.values()):
        if number is not None:
            yield _step(_EQUAL, number, 0, 1)
            yield _step(_RETURN, _REFUSE)
    if not may_fork:
        yield from _leaf_steps()
    yield _step(_RETURN, _ALLOW)


def _leaf_steps() -> Iterator[bytes]:
    """Yield rules for a process that may not fork.

    It may start threads and signal itself, but may not outlive its parent.
    """
    me = os.getpid()
    # clone3's arguments are in memory, which a filter cannot read; libraries fall back to clone.
    yield _step(_EQUAL, _here(_CLONE3), 0, 1)
    yield _step(_RETURN, _UNKNOWN)
    yield from _judge(_CLONE, 0, [_CLONE_THREAD], hit=_ALLOW, miss=_REFUSE, test=_ANY_BIT)
    for call in (_KILL, _TGKILL):
        yield from _judge(call, 0, [me], hit=_ALLOW, miss=_REFUSE)
    yield from _judge(_PRLIMIT64, 0, [0, me], hit=_ALLOW, miss=_REFUSE)
    kept = [_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE]
    yield from _judge(_PRCTL, 0, kept, hit=_REFUSE, miss=_ALLOW)
    # The owner of a file receives signals:
    # https://man7.org/linux/man-pages/man2/F_SETOWN.2const.html
    owners = [_F_SETOWN, _F_SETSIG, _F_SETOWN_EX]
    yield from _judge(_FCNTL, 1, owners, hit=_REFUSE, miss=_ALLOW)
    # These would type into the terminal from which the bot was started.
    yield from _judge(_IOCTL, 1, [_TIOCSTI, _TIOCLINUX], hit=_REFUSE, miss=_ALLOW)


def _judge(
    call: Call, argument: int, values: Collection[int], *, hit: int, miss: int, test: int = _EQUAL
) -> Iterator[bytes]:
    """Decide by the lower half of an argument; the kernel ignores the upper half in these calls."""
    yield _step(_EQUAL, _here(call), 0, len(values) + 3)
    yield _step(_LOAD, _ARGUMENTS_AT + 8 * argument)
    for index, value in enumerate(values):
        yield _step(test, value, len(values) - index, 0)
    yield _step(_RETURN, miss)
    yield _step(_RETURN, hit)


def _step(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """Return one instruction (linux/filter.h); a jump is the number of instructions to skip."""
    return struct.pack("=HBBI", code, if_true, if_false, operand)
