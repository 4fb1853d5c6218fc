"""Runs the bot as a separate process that uses the sandbox in place of Discord."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from sandbox.server import DEFAULT_TOKEN, Sandbox
from sandbox.vendors.forms import KEY

STOP_WITHIN_S = 12.0


class BotProcess:
    """`python -m bot` with settings for the sandbox. It can be killed and restarted."""

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
        """`log` receives the bot's standard error, which is inherited by default.

        With `vendors` the bot prefers the simulated vendors to its own engine. `module` replaces
        `bot`, to run a bot composed of other parts.
        """
        self._module = module
        self._settings = environment(sandbox, data_dir, vendors=vendors) | dict(settings or {})
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
        """Start the bot without waiting until it is ready."""
        stderr = self._log.open("ab") if self._log else None
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", self._module, env=self._settings, stderr=stderr
            )
        finally:
            if stderr:
                stderr.close()

    async def stop(self) -> int:
        """Stop the bot as a service manager does, and return its exit status."""
        if self._running.returncode is None:
            self._running.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_WITHIN_S):
                    await self._running.wait()
            except TimeoutError:
                await self.kill()
        return await self._running.wait()

    async def kill(self) -> None:
        """Kill the bot."""
        if self._running.returncode is None:
            self._running.kill()
        await self._running.wait()

    async def wait(self) -> int:
        """Wait until the bot exits, and return its exit status."""
        return await self._running.wait()

    @property
    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError("the bot was not started")
        return self._process


def public_links(port: int) -> dict[str, str]:
    """Return the settings with which the bot serves links, and the mixer page, on loopback."""
    return {
        "STEMCORD_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "STEMCORD_PUBLIC_ADDRESS": f"127.0.0.1:{port}",
    }


def environment(sandbox: Sandbox, data_dir: Path, *, vendors: bool = False) -> dict[str, str]:
    """Return this process's environment, with settings for a bot in the sandbox."""
    names = [vendor.name for vendor in sandbox.vendors.all]
    keys = {f"{name.upper()}_API_KEY": KEY for name in names}
    places = {f"{name.upper()}_BASE_URL": f"{sandbox.base_url}/vendors/{name}" for name in names}
    home = os.environ.get("STEMCORD_DATA_DIR") or "data"
    models = os.environ.get("STEMCORD_MODELS_DIR") or str(Path(home, "models").absolute())
    return {
        **os.environ,
        "DISCORD_TOKEN": DEFAULT_TOKEN,
        "DISCORD_API_BASE": sandbox.api_base,
        "STEMCORD_DATA_DIR": str(data_dir),
        "STEMCORD_MODELS_DIR": models,
        "STEMCORD_TRUSTED_HOSTS": sandbox.base_url.removeprefix("http://"),
        "STEMCORD_PROVIDERS": ",".join([*names, "local"] if vendors else ["local"]),
        **keys,
        **places,
        "STEMCORD_OPS_ADDRESS": "",
    }
