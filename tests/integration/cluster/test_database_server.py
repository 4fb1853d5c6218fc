"""Our own PostgreSQL server keeps its data across a restart, and leaves nothing behind."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from sandbox.cluster.database_server import CRASH_SAFE, DatabaseServer
from tests.support.both_databases import serve_alone


@pytest.fixture
def server() -> Iterator[DatabaseServer]:
    yield from serve_alone(CRASH_SAFE)


def test_a_restart_keeps_what_was_written(server: DatabaseServer):
    with psycopg.connect(server.url, autocommit=True) as conn:
        conn.execute("CREATE TABLE songs (title text)")
    for mode in ("fast", "immediate"):
        server.stop(mode)
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.url)
        server.start()
    with psycopg.connect(server.url) as conn:
        assert conn.execute("SELECT count(*) FROM songs").fetchone() == (0,)


def test_nothing_is_left_behind():
    with contextmanager(serve_alone)() as server:
        assert server.socket.exists()
    assert not server.home.exists()
