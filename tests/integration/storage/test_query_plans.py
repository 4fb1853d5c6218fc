"""Queries that run every few minutes use an index, however many jobs have ended."""

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from storage.database import postgres_sessions as sessions
from storage.stores import job_statements
from storage.upkeep import forgetting
from storage.work_queue import separations

GROUP = {"shard_count": 2, "first_shard": 0, "last_shard": 0}
OLD = {"before": 100, "limit": 500, "former_id": -1}
JOBS = 3_000
"""Enough that a scan of a table costs more than an index lookup."""
# All of these jobs are delivered and emptied, as nearly all jobs are.
_ENDED = """
INSERT INTO jobs (
    id, interaction_id, user_id, filename, url, size_bytes, size_limit_bytes,
    recipe, audio_format, entry, channel_id, context, application_id, locale, title,
    state, created_at, updated_at, shown_version, files_expired, is_forgotten
)
SELECT
    'job' || number, number, 1, '', '', 0, 1,
    'karaoke', 'mp3', 0, 5, 'guild', 6, 'en', '',
    'delivered', number, number, 1, TRUE, TRUE
FROM generate_series(1, %s) AS number
"""
_DONE = """
INSERT INTO attempts (
    job_id, provider, number, model, state, cost_minutes, submitted_at, updated_at
)
SELECT id, 'local', 1, 'two', 'done', 0, created_at, created_at FROM jobs
"""


@pytest.fixture(scope="module")
def rows(postgres_server: Any) -> Iterator[psycopg.Connection[Any]]:
    with postgres_server.database() as url, psycopg.connect(url, autocommit=True) as conn:
        conn.execute(_ENDED, (JOBS,))
        conn.execute(_DONE)
        conn.execute("VACUUM ANALYZE jobs, attempts")
        yield conn


@pytest.mark.parametrize(
    ("statement", "values", "indexes"),
    [
        (job_statements.LEFT_OPEN, GROUP, {"attempts_open", "jobs_with_files"}),
        (job_statements.EXPIRED, {"before": 100, **GROUP}, {"jobs_with_files"}),
        (job_statements.UNFINISHED, GROUP, {"jobs_unfinished"}),
        (job_statements.OWED, GROUP, {"jobs_stale"}),
        (forgetting._EMPTY + forgetting._OLD, OLD, {"jobs_to_empty"}),
        (separations._NEEDED, {}, {"jobs_unfinished"}),
    ],
)
def test_ended_jobs_are_not_read(
    rows: psycopg.Connection[Any], statement: str, values: dict[str, int], indexes: set[str]
):
    explain = f"EXPLAIN (COSTS OFF) {statement}"
    lines = rows.execute(sessions.translated(explain), values).fetchall()
    plan = "\n".join(line for (line,) in lines)
    assert set(re.findall(r"(?:using|Index Scan on) (\w+)", plan)) >= indexes, plan
    assert not re.search(r"Seq Scan on (jobs|attempts)", plan), plan
