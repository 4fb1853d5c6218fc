"""Calculates what a number of users needs, from what one song needs.

    python -m bench.growth [--users 1000000] [--cpu-s 23] [--requests 12] [--kept-mib 23] ...

Rows, bytes and transitions are measured on a PostgreSQL server, which is started for it. The other
figures of a song come from `python -m bench.job` and are given as options; their defaults were
measured with it. docs/growing.md explains the formulas.
"""

import argparse
import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg

from bench.store import TRANSITIONS, measure, opened
from storage.database.opening import PostgresUrl
from tests.support.postgres_server import running_server

JOBS = 1_000
AT_ONCE = 16
SECONDS_A_DAY = 86_400
DISCORD_LIMIT = 50
"""The requests a second that Discord accepts from one bot."""
_ROWS = "SELECT coalesce(sum(n_tup_ins + n_tup_upd), 0) FROM pg_stat_user_tables"
_BYTES = "SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables"
_WAL = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"


@dataclass(frozen=True, slots=True, kw_only=True)
class SongCost:
    """What one song needs."""

    rows: float
    """Rows inserted and updated."""
    stored_kib: float
    """The size of its rows and their index entries."""
    wal_kib: float
    transitions_s: float
    """The transitions per second of one process with many songs."""


def song_cost() -> SongCost:
    """Measure songs on a server that waits for the disk, as servers do by default."""
    with running_server(is_durable=True) as server, server.database() as url:
        asyncio.run(_some_songs(url, first=0, jobs=50))
        before = _counted(url)
        rate = asyncio.run(_some_songs(url, first=1_000, jobs=JOBS))
        rows, stored, wal = (
            (now - then) / JOBS for now, then in zip(_counted(url), before, strict=True)
        )
        return SongCost(rows=rows, stored_kib=stored / 1024, wal_kib=wal / 1024, transitions_s=rate)


async def _some_songs(url: str, *, first: int, jobs: int) -> float:
    async with opened(PostgresUrl(url)) as db:
        rate, _ = await measure(db, jobs=jobs, at_once=AT_ONCE, first=first)
        return rate


def _counted(url: str) -> tuple[float, float, float]:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("VACUUM")  # measure sizes without dead rows
        conn.execute("SELECT pg_stat_force_next_flush()")
        rows, stored, wal = (
            float(conn.execute(query.encode()).fetchall()[0][0]) for query in (_ROWS, _BYTES, _WAL)
        )
        return rows, stored, wal


def calculation(song: SongCost, given: argparse.Namespace) -> Iterator[tuple[str, str, str]]:
    """Yield what is needed: each quantity with its formula and its value."""
    a_day = given.users * given.share
    average = a_day / SECONDS_A_DAY
    peak = average * given.peak
    yield "songs a day", "users x share", f"{a_day:,.0f}"
    yield "songs a second, average", "songs a day / 86,400", f"{average:.2f}"
    yield "songs a second, at the peak", f"average x {given.peak:g}", f"{peak:.1f}"
    transitions = peak * TRANSITIONS
    yield "transitions a second, at the peak", f"peak x {TRANSITIONS}", f"{transitions:.0f}"
    yield "... that one process makes here", "measured", f"{song.transitions_s:.0f}"
    yield "rows written a second", f"average x {song.rows:.0f}", f"{average * song.rows:.0f}"
    wal = a_day * song.wal_kib / 2**20
    yield "write-ahead log a day", f"songs a day x {song.wal_kib:.1f} KiB", f"{wal:.1f} GiB"
    stored = a_day * given.keep_days * song.stored_kib / 2**20
    formula = f"songs a day x {given.keep_days:g} x {song.stored_kib:.1f} KiB"
    yield f"the database after {given.keep_days:g} days", formula, f"{stored:.0f} GiB"
    yield "busy cores, average", f"average x {given.cpu_s:g} s", f"{average * given.cpu_s:.0f}"
    yield "busy cores, at the peak", f"peak x {given.cpu_s:g} s", f"{peak * given.cpu_s:.0f}"
    separating = peak * given.separation_s
    yield "... of them separating", f"peak x {given.separation_s:g} s", f"{separating:.0f}"
    kept = a_day * given.kept_mib * given.keep_hours / 24 / 2**20
    formula = f"songs a day x {given.keep_hours:g} h x {given.kept_mib:g} MiB"
    yield "kept audio", formula, f"{kept:.1f} TiB"
    requests = peak * given.requests
    yield "Discord requests a second, at the peak", f"peak x {given.requests:g}", f"{requests:.0f}"
    yield "... that Discord accepts", "", f"{DISCORD_LIMIT}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--users", type=float, default=1_000_000)
    parser.add_argument("--share", type=float, default=0.05, help="songs that a user sends a day")
    parser.add_argument("--peak", type=float, default=5, help="the peak, in averages")
    parser.add_argument("--cpu-s", type=float, default=23, help="CPU seconds of a song")
    parser.add_argument("--separation-s", type=float, default=10, help="of them for separation")
    parser.add_argument("--requests", type=float, default=12, help="Discord requests of a song")
    parser.add_argument("--kept-mib", type=float, default=23, help="audio kept of a song")
    parser.add_argument("--keep-hours", type=float, default=24)
    parser.add_argument("--keep-days", type=float, default=90)
    given = parser.parse_args()
    for quantity, formula, value in calculation(song_cost(), given):
        print(f"{quantity:<40} {formula:<46} {value:>10}")


if __name__ == "__main__":
    main()
