"""The fork server process: loads every library once, then forks a child for each task.

It has one thread, reads no untrusted file, and only forks, kills and reaps children, so a fork is
always in a consistent state. `bot.processes.fork_client` is the bot's side.
"""

import contextlib
import gc
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from functools import partial
from typing import NoReturn, assert_never

from bot.processes import ipc
from bot.processes.descriptors import Receiver
from bot.processes.fork_messages import Ended, Kill, Ready, Refused, Reply, Request, Start
from bot.processes.kernel import die_with_parent

_PIPES = 2
_MOST_DESCRIPTORS = 256
"""Higher than any descriptor that a server uses."""

Perform = Callable[[str], bytes]
"""Runs a task in the child: limits and confines the child, and returns what to print."""


def serve(perform: Perform) -> None:
    """Fork a child for each task that arrives on standard input, a socket; return when it closes.

    The child prints what `perform` returns. If `perform` raises, the child prints the traceback to
    standard error and exits with status 1.
    """
    replies = os.dup(sys.stdout.fileno())
    os.dup2(
        sys.stderr.fileno(), sys.stdout.fileno()
    )  # keeps output of libraries out of the replies
    gc.collect()
    gc.freeze()  # the child's garbage collector need not scan the objects that exist now
    _Server(perform, Receiver(), replies).run()


class _Server:
    def __init__(self, perform: Perform, receiver: Receiver, replies: int) -> None:
        self._perform = perform
        self._receiver = receiver
        self._replies = replies
        self._pid = os.getpid()
        self._children: dict[int, int] = {}
        """Tasks by the process ids of their children."""

    def run(self) -> None:
        is_a_death = _deaths()
        self._say(Ready())
        sources: list[int | Receiver] = [is_a_death, self._receiver]
        is_open = True
        while is_open:
            ready, _, _ = select.select(sources, [], [])
            if is_a_death in ready:
                os.read(is_a_death, 4096)
                self._reap()
            if self._receiver in ready:
                is_open = self._receiver.hear()
                for line in self._receiver.lines():
                    self._heed(line)
        for pid in self._children:
            _kill_group(pid)

    def _heed(self, line: bytes) -> None:
        request: Request = ipc.decode(line, Request)
        match request:
            case Start():
                self._start(request)
            case Kill(id=task):
                for pid in [pid for pid, its_task in self._children.items() if its_task == task]:
                    _kill_group(pid)
            case _:
                assert_never(request)

    def _start(self, start: Start) -> None:
        with self._receiver.take_files(_PIPES) as pipes:
            try:
                pid = os.fork()
            except OSError as exc:
                self._say(Refused(id=start.id, error=exc.errno or 0))
                return
            if pid == 0:
                _be_child(self._pid, partial(self._perform, start.task), *pipes.descriptors)
        # Called both here and in the child, since either may run first.
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        self._children[pid] = start.id

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            # The group's number cannot be reused while a process is left in it.
            _kill_group(pid)
            task = self._children.pop(pid)
            self._say(Ended(id=task, status=os.waitstatus_to_exitcode(status)))

    def _say(self, reply: Reply) -> None:
        os.write(self._replies, ipc.encode(reply))


def _deaths() -> int:
    """Return a pipe that becomes readable when a child ends."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # only the wake-up matters
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    return reading


def _kill_group(pid: int) -> None:
    # macOS raises PermissionError if only zombies are left in the group.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _be_child(parent: int, perform: Callable[[], bytes], output: int, errors: int) -> NoReturn:
    status = 1
    try:
        die_with_parent(parent)
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for descriptor, place in ((nothing, 0), (output, 1), (errors, 2)):
            os.dup2(descriptor, place)
        os.closerange(3, _MOST_DESCRIPTORS)
        _print(perform())
        status = 0
    except BaseException:  # noqa: BLE001 - a child must never continue into the server's loop
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _print(answer: bytes) -> None:
    while answer:
        answer = answer[os.write(1, answer) :]
