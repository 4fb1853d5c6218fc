"""Takes tasks from Procrastinate's queue, and makes up for the weaknesses of its worker.

The worker ends when PostgreSQL restarts, so it runs in a loop. It notices the restart only if there
is a periodic task, so there is one. It stops its heartbeat when it is told to stop, so every task
has its own.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import psycopg
from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import ConnectorException

from storage.database import postgres_sessions as sessions

log = logging.getLogger(__name__)

BEAT_EVERY_S: Final = 2.0
LOOK_EVERY_S: Final = 1.0
"""How often to look for tasks and aborts whose notification was missed."""
FORGOTTEN_S: Final = 86_400.0
"""Procrastinate's rows of dead workers are deleted after this time. A living worker whose row is
deleted after an outage would lose its task."""
CONNECT_WITHIN_S: Final = 30.0
"""Long enough that a task which ends during a restart of the server is recorded."""
END_WITHIN_S: Final = 2.5
"""How long each of Procrastinate's last statements may take once no task runs. They would wait for
`CONNECT_WITHIN_S` while the database is away."""
RESTART_AFTER_S: Final = 1.0
_YEARLY: Final = "0 0 1 1 *"
_CONNECTIONS: Final = 2
"""The maximum number of connections for tasks and heartbeats, besides one that listens."""

Handler = Callable[..., Awaitable[None]]
"""Runs a task, whose arguments it gets as keywords."""


class TaskQueue:
    """The tasks of one name in some queues."""

    def __init__(
        self, url: str, *, task: str, queues: Iterable[str], slots: int, handler: Handler
    ) -> None:
        """Prepare to call `handler` for each task, with at most `slots` calls at a time."""
        self._queues = list(queues)
        self._slots = slots
        self._handler = handler
        self._running = 0
        self._app = App(connector=_connector(url))
        self._app.task(name=task, pass_context=True)(self._run)
        nothing = self._app.task(name="nothing", queue="nothing")(_do_nothing)
        self._app.periodic(cron=_YEARLY)(nothing)

    def take_only(self, queues: Iterable[str]) -> None:
        """From now on, take tasks from these queues only."""
        # In place: Procrastinate's worker reads this very list each time that it looks for a task.
        self._queues[:] = queues

    async def serve(self, stopping: asyncio.Event) -> None:
        """Run tasks until `stopping` is set and the last one has ended, through any outage."""
        while not stopping.is_set():
            try:
                await self._serve_once(stopping)
            except (ConnectorException, psycopg.OperationalError) as exc:
                log.warning("the queue cannot be reached: %s", _reason(exc))
            with suppress(TimeoutError):
                async with asyncio.timeout(RESTART_AFTER_S):
                    await stopping.wait()

    async def _serve_once(self, stopping: asyncio.Event) -> None:
        stop = asyncio.create_task(stopping.wait())
        opening = asyncio.create_task(self._open(), name="opening of the queue")
        try:
            await asyncio.wait({opening, stop}, return_when=asyncio.FIRST_COMPLETED)
            if opening.done():
                opening.result()  # re-raises its error
                await self._work_until(stop)
        finally:
            stop.cancel()
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            await self._app.close_async()  # otherwise the next round would get the same broken pool

    async def _open(self) -> None:
        await self._app.open_async()

    async def _work_until(self, stop: asyncio.Task[Any]) -> None:
        work = asyncio.create_task(self._work(), name="queue")
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            work.cancel()  # Procrastinate then lets running tasks end
            while not work.done():
                await asyncio.wait({work}, timeout=END_WITHIN_S)
                if not self._running:
                    work.cancel()
            with suppress(asyncio.CancelledError):
                work.result()

    async def _work(self) -> None:
        await self._app.run_worker_async(
            queues=self._queues,
            concurrency=self._slots,
            fetch_job_polling_interval=LOOK_EVERY_S,
            abort_job_polling_interval=LOOK_EVERY_S,
            update_heartbeat_interval=BEAT_EVERY_S,
            stalled_worker_timeout=FORGOTTEN_S,
            delete_jobs="always",
            install_signal_handlers=False,
        )

    async def _run(self, context: JobContext, /, **arguments: Any) -> None:
        self._running += 1
        try:
            async with self._beating(context):
                await self._handler(**arguments)
        finally:
            self._running -= 1

    @asynccontextmanager
    async def _beating(self, context: JobContext) -> AsyncIterator[None]:
        """Keep the heartbeat while a task runs, even when the worker is told to stop."""
        beats = asyncio.create_task(self._beat(context), name="heartbeat")
        try:
            yield
        finally:
            beats.cancel()
            await asyncio.gather(beats, return_exceptions=True)

    async def _beat(self, context: JobContext) -> None:
        worker_id = context.job.worker_id
        while worker_id is not None:
            with suppress(ConnectorException, psycopg.OperationalError):
                await self._app.job_manager.update_heartbeat(worker_id)
            await asyncio.sleep(BEAT_EVERY_S)


async def _do_nothing(timestamp: int) -> None:
    del timestamp


def _connector(url: str) -> PsycopgConnector:
    settings = sessions.settings_statement(sessions.KEEP_ALIVES)

    async def configure(conn: psycopg.AsyncConnection[Any]) -> None:
        await conn.execute(settings)
        await conn.commit()

    return PsycopgConnector(
        conninfo=sessions.conninfo(url),
        min_size=1,
        max_size=_CONNECTIONS,
        configure=configure,
        timeout=CONNECT_WITHIN_S,
        reconnect_timeout=RESTART_AFTER_S * 5,
    )


def _reason(error: Exception) -> str:
    cause = error.__cause__ or error
    return " ".join(str(cause).split()) or type(cause).__name__
