"""Finds out which process does what: their health pages, and the rows of the database."""

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import psycopg

from sandbox.cluster.members import Member, Members
from sandbox.errors import Json

LOOK_EVERY_S = 0.5
SHOWN = 12
STARTING = "starting"
_GONE = (aiohttp.ClientError, TimeoutError, OSError)
_WORKER_ID = re.compile(r"worker (\w+) is ready")
_TIME_BITS = 22
_SONGS = """
SELECT jobs.id, jobs.title, jobs.guild_id, jobs.state, jobs.is_final, separation.worker,
    separation.permille
FROM jobs
LEFT JOIN LATERAL (
    SELECT worker, permille FROM separations
    WHERE job_id = jobs.id ORDER BY number DESC LIMIT 1
) AS separation ON TRUE
ORDER BY jobs.created_at DESC, jobs.id
LIMIT %s
"""


@dataclass(slots=True)
class Song:
    """A song, and the processes that have worked on it."""

    title: str
    state: str
    percent: int | None = None
    bots: list[str] = field(default_factory=list)
    workers: list[str] = field(default_factory=list)


class Activity:
    """The state of all processes, and the latest songs."""

    def __init__(self, *, url: str, members: Members, shards: int) -> None:
        self._url = url
        self._members = members
        self._shards = shards
        self._states: dict[str, str] = {}
        self._songs: dict[str, Song] = {}
        self._latest: list[str] = []

    def written(self) -> Json:
        """Return everything as JSON, the latest song first."""
        return {
            "processes": [
                {
                    "name": member.name,
                    "role": member.role,
                    "shard": member.shard,
                    "state": self._states.get(member.name, STARTING),
                }
                for member in self._members.all
            ],
            "songs": [_written(self._songs[song_id]) for song_id in self._latest],
        }

    async def follow(self) -> None:
        """Look at the processes and at the database until cancelled."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1)) as http:
            while True:
                members = tuple(self._members.all)
                states = await asyncio.gather(*(_state(http, each) for each in members))
                self._states = {
                    each.name: state for each, state in zip(members, states, strict=True)
                }
                with suppress(psycopg.Error):  # the database may be starting, or restarting
                    await self._look_at_songs()
                await asyncio.sleep(LOOK_EVERY_S)

    async def _look_at_songs(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as conn:
            rows = await (await conn.execute(_SONGS, (SHOWN,))).fetchall()
        names = self._worker_names()
        self._latest = [row[0] for row in rows]
        for row in rows:
            self._note(row, names)

    def _note(self, row: tuple[Any, ...], names: dict[str, str]) -> None:
        song_id, title, guild_id, state, is_final, worker, permille = row
        song = self._songs.setdefault(song_id, Song(title=title, state=state))
        was_final = song.state == state and is_final
        song.title, song.state = title, state
        song.percent = permille // 10 if worker and permille is not None else song.percent
        bot = self._bot_of(guild_id)
        if bot and not was_final and bot not in song.bots[-1:]:
            song.bots.append(bot)
        if worker and names.get(worker, worker) not in song.workers[-1:]:
            song.workers.append(names.get(worker, worker))

    def _bot_of(self, guild_id: int | None) -> str | None:
        """Return the bot that serves a server now. Direct messages belong to shard 0."""
        shard = 0 if guild_id is None else (guild_id >> _TIME_BITS) % self._shards
        serving = [
            member.name
            for member in self._members.all
            if member.shard == shard and self._states.get(member.name) == "serving"
        ]
        return serving[0] if serving else None

    def _worker_names(self) -> dict[str, str]:
        """Return the name of each worker by the id under which it takes songs."""
        return {
            found: member.name
            for member in self._members.all
            if member.role == "worker" and member.log.exists()
            for found in _WORKER_ID.findall(member.log.read_text())
        }


async def _state(http: aiohttp.ClientSession, member: Member) -> str:
    if not member.program.is_running:
        return "down"
    try:
        async with http.get(f"http://127.0.0.1:{member.ops_port}/healthz") as answer:
            found: Json = await answer.json()
    except _GONE:
        return STARTING
    if not found["store"]:
        return "waiting for the database"
    # Shards identify one after the other, so a bot may serve some seconds before it is connected.
    is_connected = found.get("discord", True) or found["state"] != "serving"
    return str(found["state"]) if is_connected else "waiting for Discord"


def _written(song: Song) -> Json:
    return {
        "title": song.title,
        "state": song.state,
        "percent": song.percent,
        "bots": song.bots,
        "workers": song.workers,
    }
