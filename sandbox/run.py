"""`make run` without a token: serve the sandbox with its page, and run the bot in it."""

import argparse
import asyncio
import signal
import tempfile
from pathlib import Path

from sandbox.bot_process import BotProcess
from sandbox.server import Sandbox

PORT = 8420


async def run(*, vendors: bool) -> int:
    """Serve until SIGINT, SIGTERM or the bot's exit, and return an exit status."""
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, done.set)
    with tempfile.TemporaryDirectory(prefix="stemcord-") as folder:
        sandbox = await _open()
        try:
            async with BotProcess(sandbox, data_dir=Path(folder), vendors=vendors) as bot:
                print("\n  DISCORD_TOKEN is not set, so this is a stand-in for Discord.")
                print(f"  Open {sandbox.base_url}/ and type /split. Ctrl+C ends it.\n", flush=True)
                ended = asyncio.create_task(bot.wait())
                asked = asyncio.create_task(done.wait())
                await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
                asked.cancel()
                return await bot.stop() if done.is_set() else 1
        finally:
            await sandbox.stop()


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
