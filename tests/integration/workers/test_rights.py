"""A worker with the rights that docs/workers.md grants, and what `doctor` says about them."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from bot.cli.version import our_version
from storage.database.worker_rights import report_on_worker
from storage.work_queue.audio_tasks import AudioTasks, AudioTaskState, new_task_id
from storage.work_queue.separations import SeparationState
from tests.integration.workers.farm import Farm

DOCUMENT = Path(__file__).parents[3] / "docs" / "workers.md"


def granted() -> list[str]:
    [block] = re.findall(r"```sql\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    return [statement.strip() for statement in block.split(";") if statement.strip()]


@pytest.fixture
def role(url: str) -> Iterator[str]:
    """The address of the database for a user with the documented rights."""
    with psycopg.connect(url, autocommit=True) as conn:
        for statement in granted():
            conn.execute(statement.encode())
        parts = urlsplit(url)
        yield urlunsplit(parts._replace(netloc=f"stemcord_worker@{parts.hostname or ''}"))
        conn.execute("DROP OWNED BY stemcord_worker")
        conn.execute("DROP ROLE stemcord_worker")


async def test_a_worker_can_work_with_these_rights_alone(farm: Farm, role: str):
    long, short = await farm.submit(), await farm.submit(turn=1)
    async with farm.worker("one", wait_s=60, url=role, STEMCORD_STOP_GRACE_S="1") as one:
        await farm.until_running(long)
        one.tell_to_stop()
        assert await one.wait() == 0
        assert "handed_back" in one.text
    async with farm.worker("two", url=role):
        for key in (long, short):
            assert (await farm.until_over(key)).state is SeparationState.DONE
    report = report_on_worker(role)
    assert (report.problems, report.notes) == ((), ())


async def test_a_worker_can_run_audio_tasks_with_these_rights(farm: Farm, role: str):
    tasks, task_id = AudioTasks(db=farm.db, version=our_version()), new_task_id()
    async with farm.worker(url=role, STEMCORD_WORKER_TASKS="audio") as worker:
        await worker.until_logged("is ready")
        assert await tasks.reserve(task_id, "not a task")
        await tasks.offer(task_id)
        await worker.until_logged("is declined")
        await worker.until_logged(": failed")
    found = await tasks.look(task_id)
    assert found is not None
    assert found.state is AudioTaskState.DECLINED


@pytest.mark.parametrize("statement", ["SELECT token FROM jobs", "SELECT * FROM ledger"])
def test_these_rights_reach_no_user(role: str, statement: str):
    with (
        psycopg.connect(role) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        conn.execute(statement.encode())


def test_doctor_names_a_missing_right(url: str, role: str):
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("REVOKE UPDATE ON separations FROM stemcord_worker")
        conn.execute("REVOKE USAGE ON SEQUENCE procrastinate_jobs_id_seq FROM stemcord_worker")
    [problem] = report_on_worker(role).problems
    assert problem.endswith(": UPDATE on separations, USAGE on procrastinate_jobs_id_seq")


def test_doctor_asks_for_the_right_to_audio_tasks_only_if_they_are_taken(url: str, role: str):
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("REVOKE UPDATE ON audio_tasks FROM stemcord_worker")
    assert report_on_worker(role, takes_audio=False).problems == ()
    [problem] = report_on_worker(role, takes_audio=True).problems
    assert problem.endswith(": UPDATE on audio_tasks")


async def test_a_worker_that_may_not_run_audio_tasks_waits_and_says_so(
    farm: Farm, url: str, role: str
):
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("REVOKE UPDATE ON audio_tasks FROM stemcord_worker")
        async with farm.worker(url=role, STEMCORD_WORKER_TASKS="audio") as worker:
            await worker.until_logged("permission denied for table audio_tasks")
            assert "is ready" not in worker.text
            conn.execute("GRANT UPDATE ON audio_tasks TO stemcord_worker")
            await worker.until_logged("is ready")


def test_doctor_notes_more_rights_than_needed(url: str):
    report = report_on_worker(url)
    assert report.problems == ()
    [note] = report.notes
    assert "may read account_keys" in note


def test_doctor_tells_of_another_schema(url: str, role: str):
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("UPDATE schema_version SET number = number - 1")
        [problem] = report_on_worker(role).problems
        conn.execute("UPDATE schema_version SET number = number + 1")
    assert "has schema version" in problem
