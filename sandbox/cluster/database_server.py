"""A PostgreSQL server in a temporary folder, which ends with the block that started it."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

DEBIAN = Path("/usr/lib/postgresql")
USER = "stemcord"
CRASH_SAFE = ("fsync=off", "full_page_writes=off")
"""Settings with which commits survive a crash of the server, but not of the machine."""
FAST = (*CRASH_SAFE, "synchronous_commit=off")
"""Settings with which the latest commits may be lost in a crash of the server."""


class NoServer(Exception):
    """This machine has no PostgreSQL. The message says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseServer:
    """A server that listens on a unix socket in its folder."""

    home: Path
    programs: Path
    account: pwd.struct_passwd | None
    """The user that runs the server, which refuses root; None for the current user."""

    @property
    def url(self) -> str:
        """The address of the database that every server has."""
        return f"postgresql://{USER}@/postgres?host={self.home}"

    @property
    def socket(self) -> Path:
        """The socket on which the server listens."""
        return self.home / ".s.PGSQL.5432"

    def start(self) -> None:
        """Start the server and wait until it accepts connections.

        `pg_ctl` starts it, so it is not a child of this process.
        """
        self._control("-l", str(self.home / "log"), "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server: `immediate` as a crash does, `fast` as a restart does."""
        self._control("-m", mode, "stop")

    def initialise(self, settings: Sequence[str], listens_on: str) -> None:
        """Create the server's files."""
        data = self._data
        self._run(
            "initdb", "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync",
            "--locale=C",
        )  # fmt: skip
        own = (
            *settings,
            f"listen_addresses='{listens_on}'",
            f"unix_socket_directories='{self.home}'",
        )
        with (data / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{setting}\n" for setting in own)
        if listens_on:
            with (data / "pg_hba.conf").open("a") as file:
                file.write("host all all samenet trust\n")

    @property
    def _data(self) -> Path:
        return self.home / "data"

    def _control(self, *words: str) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-s", "-w", *words)

    def _run(self, program: str, *words: str) -> None:
        user, group = (
            (None, None) if self.account is None else (self.account.pw_uid, self.account.pw_gid)
        )
        others: list[int] | None = None if self.account is None else []
        subprocess.run(
            [self.programs / program, *words],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
            user=user,
            group=group,
            extra_groups=others,
        )


@contextmanager
def running_database_server(
    settings: Sequence[str] = FAST, *, listens_on: str = ""
) -> Iterator[DatabaseServer]:
    """Run a new server with these settings, and with an address besides its socket.

    Raises NoServer.
    """
    programs, account = programs_folder(), _account()
    # A socket's path may have 107 bytes at most, so the folder is not in $TMPDIR.
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as folder:
        home = Path(folder)
        if account is not None:
            os.chown(home, account.pw_uid, account.pw_gid)
        server = DatabaseServer(home=home, programs=programs, account=account)
        server.initialise(settings, listens_on)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def programs_folder() -> Path:
    """Return the folder of the newest PostgreSQL's programs. Raises NoServer."""
    if found := shutil.which("postgres"):
        return Path(found).parent
    newest = sorted(DEBIAN.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not newest:
        raise NoServer("PostgreSQL is not installed")
    return newest[-1].parent


def _account() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        raise NoServer("there is no user named postgres") from None
