"""`make run` without a token: serve the sandbox with its page, and run the bot in it."""

import argparse
import asyncio
import signal
import socket
import tempfile
from pathlib import Path

from sandbox.bot_process import BotProcess, public_links
from sandbox.server import Sandbox

PORT = 8420
LINKS_PORT = 8421
"""The port on which the bot serves links and the mixer page, if it is free."""


async def run(*, vendors: bool) -> int:
    """Serve until SIGINT, SIGTERM or the bot's exit, and return an exit status."""
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, done.set)
    with tempfile.TemporaryDirectory(prefix="stemcord-") as folder:
        sandbox = await _open()
        try:
            async with BotProcess(
                sandbox,
                data_dir=Path(folder),
                vendors=vendors,
                settings=public_links(free_port(LINKS_PORT)),
            ) as bot:
                print("\n  DISCORD_TOKEN is not set, so this is a stand-in for Discord.")
                print(f"  Open {sandbox.base_url}/ and type /split. Ctrl+C ends it.\n", flush=True)
                ended = asyncio.create_task(bot.wait())
                asked = asyncio.create_task(done.wait())
                await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
                asked.cancel()
                return await bot.stop() if done.is_set() else 1
        finally:
            await sandbox.stop()


def free_port(preferred: int) -> int:
    """Return the port, or another one if something listens on it."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no port is free")


async def _open() -> Sandbox:
    sandbox = Sandbox()
    try:
        await sandbox.start(port=PORT)
    except OSError:
        await sandbox.stop()
        sandbox = Sandbox()
        await sandbox.start()
    return sandbox


def main() -> int:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(prog="sandbox.run", description=__doc__)
    parser.add_argument(
        "--vendors",
        action="store_true",
        help="prefer stand-ins for the hosted services to the embedded engine",
    )
    return asyncio.run(run(vendors=parser.parse_args().vendors))


if __name__ == "__main__":
    raise SystemExit(main())
