"""A worker as a process, which tests kill, freeze and stop."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]


class WorkerRoleProcess:
    """A running worker, by default the one whose provider only waits."""

    def __init__(
        self,
        *,
        url: str,
        store: str,
        home: Path,
        name: str = "worker",
        module: Sequence[str] = ("tests.support.waiting_worker",),
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.log = home / f"{name}.log"
        self._command = (sys.executable, "-m", *module)
        self._settings = {
            "PATH": os.environ["PATH"],
            "STEMCORD_DATABASE_URL": url,
            "STEMCORD_OBJECT_STORE": store,
            "STEMCORD_DATA_DIR": str(home / name),
            "STEMCORD_OPS_ADDRESS": "",
            **(settings or {}),
        }
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        """Start, and wait until it is ready."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=ROOT,
                env=self._settings,
                stderr=log,
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Kill it, if it is still running."""
        await self.kill()

    @property
    def text(self) -> str:
        """What it has logged."""
        return self.log.read_text()

    async def until_logged(self, text: str, *, within_s: float = 60.0) -> None:
        """Wait until the worker has logged a text."""
        try:
            async with asyncio.timeout(within_s):
                while text not in self.text:
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"no {text!r} in:\n{self.text}") from None

    def freeze(self) -> None:
        """Suspend it."""
        self._running.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume it."""
        self._running.send_signal(signal.SIGCONT)

    def tell_to_stop(self, by: signal.Signals = signal.SIGTERM) -> None:
        """Stop it as a service manager does, or with another signal."""
        self._running.send_signal(by)

    async def wait(self, *, within_s: float = 60.0) -> int:
        """Wait for its end, and return its exit status."""
        async with asyncio.timeout(within_s):
            return await self._running.wait()

    async def kill(self) -> None:
        """Kill it."""
        if self._running.returncode is None:
            self._running.kill()
        await self._running.wait()

    @property
    def _running(self) -> asyncio.subprocess.Process:
        assert self._process is not None
        return self._process
