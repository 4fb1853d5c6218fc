"""Planted bugs in the handling of separations on workers."""

from tests.planted.plant import Plant

_STORE = "storage/work_queue/separations.py"
_SWEEP = "storage/work_queue/separation_sweep.py"
_SEPARATIONS = ("tests/integration/storage/work_queue/test_separations.py",)
_SWEEPS = ("tests/integration/storage/work_queue/test_separation_sweep.py",)

WORKERS = (
    Plant(
        name="a worker that returns late ends another's work by its failure",
        file=_STORE,
        old="WHERE {_KEY} AND {_OPEN} AND lease = :lease",
        new="WHERE {_KEY} AND {_OPEN}",
        tests=_SEPARATIONS,
    ),
    Plant(
        name="a second result of a worker replaces the first",
        file=_STORE,
        old="permille = 1000, updated_at = {_NOW}\nWHERE {_KEY} AND {_OPEN}\n",
        new="permille = 1000, updated_at = {_NOW}\nWHERE {_KEY}\n",
        tests=_SEPARATIONS,
    ),
    Plant(
        name="a song that a worker hands back counts as started",
        file=_STORE,
        old="starts = starts - 1",
        new="starts = starts",
        tests=_SEPARATIONS,
    ),
    Plant(
        name="a further attempt at workers forgets the starts of the earlier ones",
        file=_STORE,
        old='max((row["starts"] for row in rows), default=0)',
        new="0",
        tests=_SEPARATIONS,
    ),
    Plant(
        name="a song kills workers without end",
        file=_SWEEP,
        old="AND starts >= {MAX_LOCAL_STARTS}",
        new="AND starts > 99",
        tests=_SWEEPS,
    ),
    Plant(
        name="after a restart of PostgreSQL every worker counts as dead",
        file=_SWEEP,
        old="    AND pg_postmaster_start_time() < now() - make_interval(secs => :stalled_s)\n",
        new="",
        tests=_SWEEPS,
    ),
    Plant(
        name="an open separation without a task waits for ever",
        file=_SWEEP,
        old="restarted=await _restart(conn)",
        new="restarted=()",
        tests=_SWEEPS,
    ),
)
