"""Planted bugs in the handling of separations and audio tasks on workers."""

from tests.planted.plant import Plant

_STORE = "storage/work_queue/separations.py"
_SWEEP = "storage/work_queue/separation_sweep.py"
_STREAK = "bot/workers/failure_streak.py"
_SEPARATIONS = ("tests/integration/storage/work_queue/test_separations.py",)
_SWEEPS = ("tests/integration/storage/work_queue/test_separation_sweep.py",)
_AUDIO_STORE = "storage/work_queue/audio_tasks.py"
_AUDIO_TASKS = ("tests/integration/storage/work_queue/test_audio_tasks.py",)
_SENDER = ("tests/unit/workers/audio/test_audio_sender.py",)

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
    Plant(
        name="more audio tasks are sent than workers have places for",
        file=_AUDIO_STORE,
        old='if row["free"] > 0:',
        new='if row["free"] > -9:',
        tests=_AUDIO_TASKS,
    ),
    Plant(
        name="two bots that ask at once get the same place at a worker",
        file=_AUDIO_STORE,
        old="locks=[audio_places()]",
        new="locks=[]",
        tests=_AUDIO_TASKS,
    ),
    Plant(
        name="a worker that a task was taken from answers it",
        file=_AUDIO_STORE,
        old="WHERE id = :id AND state = 'running' AND worker = :worker",
        new="WHERE id = :id AND state = 'running'",
        tests=_AUDIO_TASKS,
    ),
    Plant(
        name="the audio task of a dead worker is waited for until its deadline",
        file="bot/workers/audio/audio_sender.py",
        old="case SentTask(state=AudioTaskState.RUNNING, is_worker_living=False, worker=worker):",
        new="case SentTask(state=AudioTaskState.SENDING, is_worker_living=False, worker=worker):",
        tests=_SENDER,
    ),
    Plant(
        name="a worker's result of any size is fetched",
        file="bot/workers/audio/audio_sender.py",
        old="if size_bytes > most_bytes:",
        new="if size_bytes < 0:",
        tests=_SENDER,
    ),
    Plant(
        name="the row of an audio task names the files that a worker opens",
        file="bot/workers/audio/portable_tasks.py",
        old='if here.keys() != set(_names("in", len(here)))',
        new="if not here.keys()",
        tests=("tests/unit/workers/audio/test_portable_tasks.py",),
    ),
    Plant(
        name="a broken worker takes song after song",
        file=_STREAK,
        old="or len(self._failures) < MOST_IN_A_ROW or",
        new="or len(self._failures) <= MOST_IN_A_ROW or",
        tests=("tests/unit/workers/test_failure_streak.py",),
    ),
    Plant(
        name="bad songs pause a worker",
        file=_STREAK,
        old="                    self._forget(job_id)\n",
        new="                    self._forget(JobId(self._worker))\n",
        tests=("tests/unit/workers/test_failure_streak.py",),
    ),
    Plant(
        name="a broken worker puts all workers into cooldown",
        file="bot/jobs/poll.py",
        old="counted = MAX_LOCAL_STARTS if",
        new="counted = 1 if",
        tests=("tests/unit/jobs/test_poll.py",),
    ),
    Plant(
        name="a result is refused because its worker is gone",
        file="bot/jobs/collect.py",
        old="isinstance(provider, RemembersModels) and attempt.ref is not None",
        new="isinstance(provider, RemembersModels) and attempt.ref is None",
        tests=("tests/unit/jobs/test_collect.py",),
    ),
)
