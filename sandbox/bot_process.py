"""Runs the bot as a separate process that uses the sandbox in place of Discord."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from sandbox.server import DEFAULT_TOKEN, Sandbox
from sandbox.vendors.forms import KEY

STOP_WITHIN_S = 12.0


class Program:
    """A program in its own process, which can be killed and restarted."""

    def __init__(
        self,
        *arguments: str,
        environment: Mapping[str, str],
        log: Path | None = None,
        before: Sequence[str] = (),
    ) -> None:
        """Prepare a program that runs under this interpreter.

        `log` receives its standard error, which is inherited by default. `before` is a command that
        replaces itself with the program.
        """
        self._command = (*before, sys.executable, *arguments)
        self.environment = dict(environment)
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._running.pid

    @property
    def is_running(self) -> bool:
        """Whether the process has been started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start the program without waiting until it is ready."""
        stderr = self._log.open("ab") if self._log else None
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, env=self.environment, stderr=stderr
            )
        finally:
            if stderr:
                stderr.close()

    async def stop(self) -> int:
        """Stop the program as a service manager does, and return its exit status."""
        if self._running.returncode is None:
            self._running.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_WITHIN_S):
                    await self._running.wait()
            except TimeoutError:
                await self.kill()
        return await self._running.wait()

    async def kill(self) -> None:
        """Kill the program."""
        if self._running.returncode is None:
            self._running.kill()
        await self._running.wait()

    async def wait(self) -> int:
        """Wait until the program exits, and return its exit status."""
        return await self._running.wait()

    @property
    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError("the program was not started")
        return self._process


class BotProcess(Program):
    """`python -m bot` with settings for the sandbox."""

    def __init__(
        self,
        sandbox: Sandbox,
        *,
        data_dir: Path,
        log: Path | None = None,
        settings: Mapping[str, str] | None = None,
        vendors: bool = False,
        module: str = "bot",
    ) -> None:
        """Prepare a bot.

        With `vendors`, it prefers the simulated vendors to its own engine. `module` replaces `bot`,
        to run a bot composed of other parts.
        """
        own = environment(sandbox, data_dir, vendors=vendors) | dict(settings or {})
        super().__init__("-m", module, environment=own, log=log)


def public_links(port: int) -> dict[str, str]:
    """Return the settings with which the bot serves links, and the mixer page, on loopback."""
    return {
        "STEMCORD_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "STEMCORD_PUBLIC_ADDRESS": f"127.0.0.1:{port}",
    }


def models_folder() -> str:
    """Return the folder in which this checkout has its models."""
    home = os.environ.get("STEMCORD_DATA_DIR") or "data"
    return os.environ.get("STEMCORD_MODELS_DIR") or str(Path(home, "models").absolute())


def environment(sandbox: Sandbox, data_dir: Path, *, vendors: bool = False) -> dict[str, str]:
    """Return this process's environment, with settings for a bot in the sandbox."""
    names = [vendor.name for vendor in sandbox.vendors.all]
    keys = {f"{name.upper()}_API_KEY": KEY for name in names}
    places = {f"{name.upper()}_BASE_URL": f"{sandbox.base_url}/vendors/{name}" for name in names}
    return {
        **os.environ,
        "DISCORD_TOKEN": DEFAULT_TOKEN,
        "DISCORD_API_BASE": sandbox.api_base,
        "STEMCORD_DATA_DIR": str(data_dir),
        "STEMCORD_MODELS_DIR": models_folder(),
        "STEMCORD_TRUSTED_HOSTS": sandbox.base_url.removeprefix("http://"),
        "STEMCORD_PROVIDERS": ",".join([*names, "local"] if vendors else ["local"]),
        **keys,
        **places,
        "STEMCORD_OPS_ADDRESS": "",
    }
