import json
import socket
import subprocess
import sys

import pytest

from bot.processes import confinement, landlock, seccomp, spawn
from tests.integration.processes.taken_over import Attempts

FILES, CALLS = "Landlock", "seccomp"
OFFERED = {FILES: landlock.version() > 0, CALLS: seccomp.is_available()}
REFUSED_BY = {
    "read_its_parents_environment": (FILES,),
    "read_its_parents_memory": (FILES,),
    "copy_its_parents_memory": (CALLS,),
    "trace_its_parent": (CALLS, FILES),
    "signal_its_parent": (CALLS,),
    "signal_its_parents_thread": (CALLS,),
    "read_the_settings": (FILES,),
    "read_the_database": (FILES,),
    "write_the_database": (FILES,),
    "truncate_the_database": (CALLS, FILES),
    "delete_the_database": (FILES,),
    "give_the_database_away": (CALLS,),
    "change_when_the_database_was_written": (CALLS,),
    "list_the_jobs": (FILES,),
    "read_another_job": (FILES,),
    "write_into_another_job": (FILES,),
    "write_beside_its_folder": (FILES,),
    "make_a_folder": (FILES,),
    "move_its_file_elsewhere": (FILES,),
    "leave_a_symbolic_link": (CALLS, FILES),
    "leave_another_name_of_a_file": (CALLS, FILES),
    "connect_by_tcp": (CALLS,),
    "listen_by_tcp": (CALLS,),
    "open_a_unix_socket": (CALLS,),
    "open_a_udp_socket": (CALLS,),
    "open_a_pair_of_sockets": (CALLS,),
    "use_a_ring": (CALLS,),
    "start_a_program": (CALLS, FILES),
    "become_a_program": (CALLS, FILES),
    "fork": (CALLS,),
    "clone_by_the_old_call": (CALLS,),
    "leave_its_session": (CALLS,),
    "outlive_its_parent": (CALLS,),
    "limit_its_parent": (CALLS,),
}
"""Every attempt, and the kernel features that refuse it; one of them is enough."""

MAY_BE_REFUSED_ANYWAY = {
    "read_its_parents_memory",
    "copy_its_parents_memory",
    "trace_its_parent",
    "use_a_ring",
}
"""Attempts that a machine's own policy, such as Yama or a container's filter, may refuse."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux confines children")


@pytest.fixture
def harness(tmp_path):
    """A bot's folder with settings, a database, and two jobs."""
    for job in ("mine", "other"):
        (tmp_path / "data" / "jobs" / job).mkdir(parents=True)
        (tmp_path / "data" / "jobs" / job / "input").write_bytes(b"song")
    (tmp_path / ".env").write_text("DISCORD_TOKEN=secret")
    (tmp_path / "data" / "stemcord.db").write_bytes(b"ledger")
    return tmp_path


@pytest.fixture(scope="module")
def taken_over():
    """The process whose children make the attempts: one interpreter for all of them."""
    command = spawn.module_command("tests.integration.processes.taken_over")
    with subprocess.Popen(
        command, env=spawn.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process


@pytest.fixture
def attempt(harness, taken_over):
    """Have a child that was taken over try something; return what it reports."""

    def run(name, *, confined):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            taken_over.stdin.write(f"{int(confined)} {name} {port} {harness}\n")
            taken_over.stdin.flush()
            status, wrote = json.loads(taken_over.stdout.readline())
        return wrote if status == 0 and wrote else f"status {status}: {wrote}"

    return run


def require(*mechanisms):
    if not any(OFFERED[each] for each in mechanisms):
        pytest.skip(f"this kernel offers no {' and no '.join(mechanisms)}")


@pytest.mark.parametrize("name", REFUSED_BY)
def test_a_child_that_was_taken_over_cannot(attempt, name):
    require(*REFUSED_BY[name])
    assert attempt(name, confined=True) == "refused"


@pytest.mark.parametrize("name", sorted(REFUSED_BY.keys() - MAY_BE_REFUSED_ANYWAY))
def test_limits_alone_would_let_it(attempt, name):
    assert attempt(name, confined=False) in {"done", "status 0: "}


def test_a_confined_child_can_do_its_work(attempt):
    assert attempt("work", confined=True) == "done"


def test_every_attempt_is_tried():
    attempts = {name for name in vars(Attempts) if not name.startswith("_")}
    assert attempts == REFUSED_BY.keys() | {"work"}


def test_what_is_missing_is_named():
    missing = confinement.missing_protections()
    assert len(missing) == sum(not offered for offered in OFFERED.values())


def test_memory_is_hidden_from_other_processes_of_the_same_user():
    code = (
        "import os, sys; from pathlib import Path; from bot.processes import kernel\n"
        "from bot.processes.confinement import hide_memory\n"
        "if os.getuid() == 0: os.setgid(65534), os.setuid(65534), kernel.prctl(4, 1)\n"
        "def look():\n"
        "    if pid := os.fork(): return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])\n"
        "    try: Path(f'/proc/{os.getppid()}/environ').read_bytes()\n"
        "    except PermissionError: os._exit(1)\n"
        "    os._exit(0)\n"
        "before = look(); hide_memory(); print(before, look())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=spawn.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.stdout.split() == ["0", "1"], ended.stderr


def test_a_process_with_threads_is_not_confined_by_half():
    code = (
        "import threading, time; from bot.processes.confinement import Reach, confine\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        "confine(Reach())"
    )
    ended = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=spawn.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "RuntimeError" in ended.stderr


def test_a_parent_of_children_can_fork_and_nothing_else():
    require(CALLS)
    code = (
        "import os, socket, sys; from bot.processes.confinement import confine_parent\n"
        "confine_parent()\n"
        "pid = os.fork() or os._exit(7)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7\n"
        "for tried in (socket.socket, lambda: os.execv('/bin/true', ['/bin/true'])):\n"
        "    try: tried()\n"
        "    except PermissionError: print('refused')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=spawn.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.stdout.split() == ["refused", "refused"], ended.stderr


@pytest.mark.parametrize("library", ["numpy", "av", "PIL.ImageFont", "scipy.fft", "onnxruntime"])
def test_libraries_load_and_start_threads_in_confinement(library):
    code = (
        "import threading; from bot.processes.confinement import Reach, confine\n"
        f"confine(Reach())\nimport {library}\n"
        "threading.Thread(target=lambda: print('runs')).start()"
    )
    ended = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=spawn.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.stdout.strip(), ended.stderr) == ("runs", "")


def test_a_graphics_cards_device_is_open_only_to_those_that_may_use_it():
    """Without a card, `/dev/zero` stands for its device."""
    require(FILES)
    code = (
        "import sys\n"
        "from bot.processes import confinement\n"
        "confinement._GPU_DEVICES = ('zero',)\n"
        "confinement.confine(confinement.Reach(has_gpu=sys.argv[1] == 'gpu'))\n"
        "try: print(len(open('/dev/zero', 'rb+', buffering=0).read(2)))\n"
        "except PermissionError: print('refused')\n"
    )
    told = [
        subprocess.run(
            [sys.executable, "-P", "-c", code, who],
            env=spawn.environment(),
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for who in ("gpu", "nobody")
    ]
    assert told == ["2", "refused"]


def test_a_cache_may_get_folders_and_nothing_beside_it(tmp_path):
    require(FILES)
    (tmp_path / "cache").mkdir()
    code = (
        "import sys; from pathlib import Path\n"
        "from bot.processes.confinement import Reach, confine\n"
        "cache = Path(sys.argv[1])\n"
        "confine(Reach(caches=(cache,)))\n"
        "(cache / 'compiled').mkdir(); (cache / 'compiled' / 'a').write_bytes(b'a')\n"
        "try: (cache.parent / 'other').mkdir()\n"
        "except PermissionError: print('refused')\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(tmp_path / "cache")],
        env=spawn.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "refused"
    assert (tmp_path / "cache" / "compiled" / "a").exists()
