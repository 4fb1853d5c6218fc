"""Simulates an audio child that a file has taken over: makes an attempt and reports the outcome.

`python -m tests.integration.processes.taken_over` reads lines of `CONFINED ATTEMPT PORT HOUSE` and
forks a child for each. The child has the limits and the access of a child that decodes
`HOUSE/data/jobs/mine/input`; if CONFINED is 0, it has only the limits. Each line gets one line as
its answer.
"""

import ctypes
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from bot.audio.tasks import DecodeTask
from bot.processes.confinement import Reach, confine
from bot.processes.kernel import die_with_parent

libc = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE, PTRACE_DETACH, PR_SET_PDEATHSIG = 0x4206, 17, 1
REFUSALS = (errno.EPERM, errno.EACCES, errno.EXDEV)


class Attempts:
    """The attempts of a child that was taken over. A refused attempt raises OSError."""

    def __init__(self, harness: Path, port: int) -> None:
        self.data = harness / "data"
        self.settings = harness / ".env"
        self.mine = self.data / "jobs" / "mine"
        self.other = self.data / "jobs" / "other"
        self.port = port
        self.parent = os.getppid()

    def read_its_parents_environment(self) -> None:
        Path(f"/proc/{self.parent}/environ").read_bytes()

    def read_its_parents_memory(self) -> None:
        with Path(f"/proc/{self.parent}/mem").open("rb"):
            pass

    def copy_its_parents_memory(self) -> None:
        into, of = ctypes.create_string_buffer(8), (ctypes.c_size_t * 2)(id(None), 8)
        to = (ctypes.c_size_t * 2)(ctypes.addressof(into), 8)
        called(libc.process_vm_readv(self.parent, to, 1, of, 1, 0), passes=errno.EFAULT)

    def trace_its_parent(self) -> None:
        called(libc.ptrace(PTRACE_SEIZE, self.parent, None, None))
        libc.ptrace(PTRACE_DETACH, self.parent, None, None)

    def signal_its_parent(self) -> None:
        os.kill(self.parent, 0)

    def signal_its_parents_thread(self) -> None:
        tgkill = {"x86_64": 234, "aarch64": 131}[os.uname().machine]
        called(libc.syscall(tgkill, self.parent, self.parent, 0))

    def read_the_settings(self) -> None:
        self.settings.read_bytes()

    def read_the_database(self) -> None:
        (self.data / "stemcord.db").read_bytes()

    def write_the_database(self) -> None:
        with (self.data / "stemcord.db").open("ab") as file:
            file.write(b"minutes")

    def truncate_the_database(self) -> None:
        os.truncate(self.data / "stemcord.db", 0)

    def delete_the_database(self) -> None:
        (self.data / "stemcord.db").unlink()

    def give_the_database_away(self) -> None:
        (self.data / "stemcord.db").chmod(0o666)

    def change_when_the_database_was_written(self) -> None:
        os.utime(self.data / "stemcord.db", (0, 0))

    def list_the_jobs(self) -> None:
        list((self.data / "jobs").iterdir())

    def read_another_job(self) -> None:
        (self.other / "input").read_bytes()

    def write_into_another_job(self) -> None:
        (self.other / "new").write_bytes(b"noise")

    def write_beside_its_folder(self) -> None:
        (self.data / "jobs" / "new").write_bytes(b"noise")

    def make_a_folder(self) -> None:
        (self.mine / "new").mkdir()

    def move_its_file_elsewhere(self) -> None:
        (self.mine / "input").rename(self.data / "moved")

    def leave_a_symbolic_link(self) -> None:
        (self.mine / "mixture.f32").symlink_to(self.data / "stemcord.db")

    def leave_another_name_of_a_file(self) -> None:
        (self.mine / "mixture.f32").hardlink_to(self.data / "stemcord.db")

    def connect_by_tcp(self) -> None:
        socket.create_connection(("127.0.0.1", self.port), timeout=10).close()

    def listen_by_tcp(self) -> None:
        socket.create_server(("127.0.0.1", 0)).close()

    def open_a_unix_socket(self) -> None:
        socket.socket(socket.AF_UNIX).close()

    def open_a_udp_socket(self) -> None:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()

    def open_a_pair_of_sockets(self) -> None:
        for end in socket.socketpair():
            end.close()

    def use_a_ring(self) -> None:
        called(libc.syscall(425, 1, None), passes=errno.EFAULT)

    def start_a_program(self) -> None:
        subprocess.run(["/bin/true"], check=True)

    def become_a_program(self) -> None:
        os.execv("/bin/true", ["/bin/true"])

    def fork(self) -> None:
        if os.fork() == 0:
            os._exit(0)

    def clone_by_the_old_call(self) -> None:
        clone = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
        if called(libc.syscall(clone, signal.SIGCHLD, 0, 0, 0, 0)) == 0:
            os._exit(0)

    def leave_its_session(self) -> None:
        os.setsid()

    def outlive_its_parent(self) -> None:
        called(libc.prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0))

    def limit_its_parent(self) -> None:
        import resource

        resource.prlimit(self.parent, resource.RLIMIT_CORE, (0, 0))

    def work(self) -> None:
        """Do what decoding needs, which must not be refused."""
        (self.mine / "input").read_bytes()
        part, into = self.mine / "mixture.f32.part", self.mine / "mixture.f32"
        part.write_bytes(bytes(8))
        part.replace(into)
        into.unlink()


def called(result: int, *, passes: int = 0) -> int:
    """Return what a C function returned; raises OSError for errors other than number `passes`."""
    if result < 0 and ctypes.get_errno() != passes:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def make(attempt: str, harness: Path, port: int, *, is_confined: bool) -> str:
    """Make one attempt, and return its outcome."""
    die_with_parent()
    attempts = Attempts(harness, port)
    mine = attempts.mine
    task = DecodeTask(source=mine / "input", into=mine / "mixture.f32", max_frames=44_100)
    task.budget.apply()
    if is_confined:
        confine(Reach(readable=task.inputs, writable=(mine,)))
    act: Callable[[], None] = getattr(attempts, attempt)
    try:
        act()
    except OSError as exc:
        if exc.errno not in REFUSALS:
            raise
        return "refused"
    return "done"


def tell(line: str) -> str:
    """Let a child make the attempt of a line, and return its status and output."""
    is_confined, attempt, port, harness = line.rstrip("\n").split(" ", 3)
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        try:
            told = make(attempt, Path(harness), int(port), is_confined=is_confined == "1")
            os.write(1, told.encode())
        except BaseException:  # noqa: BLE001 - nothing of a child may run on into the loop
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        wrote = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return json.dumps([status, wrote])


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(tell(line) + "\n")
        sys.stdout.flush()
