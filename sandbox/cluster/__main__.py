"""`make cluster`: a sandbox, PostgreSQL, a shared folder, two bots, a standby and two workers.

    python -m sandbox.cluster [--port 8420]

Everything runs on this machine, in temporary folders that are deleted at the end.
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import psycopg

from sandbox.cluster.activity import Activity
from sandbox.cluster.database_server import DatabaseServer, NoServer, running_database_server
from sandbox.cluster.members import Members, NotStarted, bot, worker
from sandbox.cluster.routes import ClusterRoutes
from sandbox.run import PORT, free_port
from sandbox.server import Sandbox

SHARDS: Final = 2
STANDBY_DELAY_S: Final = 3.0
_DATABASE: Final = "stemcord"
_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def run(server: DatabaseServer, home: Path, port: int) -> None:
    """Run the cluster until a signal. Raises NotStarted if a process refuses its settings."""
    with psycopg.connect(server.url, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {_DATABASE} ENCODING 'UTF8'".encode())
    url = server.url.replace("/postgres?", f"/{_DATABASE}?")
    members = Members()
    activity = Activity(url=url, members=members, shards=SHARDS)
    async with AsyncExitStack() as stack:
        routes = ClusterRoutes(activity=activity, members=members).routes()
        sandbox = Sandbox(shards=SHARDS, cluster=routes)
        stack.push_async_callback(sandbox.stop)
        await sandbox.start(port=free_port(port))
        (home / "shared").mkdir()
        shared = {
            "STEMCORD_DATABASE_URL": url,
            "STEMCORD_OBJECT_STORE": f"file://{home}/shared",
        }
        for name, shards in (("bot-0", "0/2"), ("bot-1", "1/2"), ("standby-0", "0/2")):
            ops = free_port(0)
            member = bot(name, shards, sandbox=sandbox, home=home, ops_port=ops, shared=shared)
            delay_s = STANDBY_DELAY_S if name.startswith("standby") else 0.0
            members.all.append(replace(member, starts_after_s=delay_s))
        for name in ("worker-a", "worker-b"):
            members.all.append(worker(name, home=home, ops_port=free_port(0), shared=shared))
        stack.push_async_callback(members.stop)
        _describe(sandbox, members, home, url)
        await _until_told(members, activity)
        print("\n  Stopping …", flush=True)


async def _until_told(members: Members, activity: Activity) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, told.set)
    running: list[asyncio.Task[Any]] = [
        asyncio.create_task(each) for each in (members.run(), activity.follow())
    ]
    asked = asyncio.create_task(told.wait())
    try:
        await asyncio.wait({*running, asked}, return_when=asyncio.FIRST_COMPLETED)
        for task in running:
            if task.done():
                task.result()
    finally:
        for task in (*running, asked):
            task.cancel()
        await asyncio.gather(*running, asked, return_exceptions=True)


def _describe(sandbox: Sandbox, members: Members, home: Path, url: str) -> None:
    print(f"\n  Open {sandbox.base_url}/ and type /split; the button Cluster shows who does what.")
    print(f"  PostgreSQL  {url}")
    print(f"  files       {home}/shared")
    for member in members.all:
        serves = "" if member.shard is None else f"shard {member.shard} of {SHARDS}, "
        health = f"http://127.0.0.1:{member.ops_port}/healthz"
        print(f"  {member.name:<11} {serves}{health}, log {member.log}")
    print("  Ctrl+C ends it.\n", flush=True)


def main() -> int:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(prog="sandbox.cluster", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT)
    port = parser.parse_args().port
    try:
        with (
            running_database_server() as server,
            tempfile.TemporaryDirectory(prefix="stemcord-") as folder,
        ):
            asyncio.run(run(server, Path(folder), port))
    except NoServer as exc:
        print(f"{exc}; on Debian and Ubuntu: apt install postgresql", file=sys.stderr)
        return 1
    except NotStarted as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    os.umask(0o077)
    raise SystemExit(main())
