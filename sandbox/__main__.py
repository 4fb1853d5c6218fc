"""Run the sandbox on its own: `python -m sandbox [--port N]` prints its address and serves."""

import argparse
import asyncio
import signal

from sandbox.server import DEFAULT_TOKEN, Sandbox


async def serve(host: str, port: int, shards: int) -> None:
    """Serve until SIGINT or SIGTERM."""
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, done.set)
    sandbox = Sandbox(shards=shards)
    await sandbox.start(host, port)
    print(f"page: {sandbox.base_url}/")
    print(f"bot:  DISCORD_API_BASE={sandbox.api_base} DISCORD_TOKEN={DEFAULT_TOKEN}", flush=True)
    await done.wait()
    await sandbox.stop()


def main() -> None:
    """Parse the arguments and serve."""
    parser = argparse.ArgumentParser(prog="sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8420)
    parser.add_argument("--shards", type=int, default=1, help="the number of shards to advise")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.host, arguments.port, arguments.shards))


if __name__ == "__main__":
    main()
