"""The common base of simulated vendors: authentication, account, log, tasks and results."""

import asyncio
import secrets
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from aiohttp import web
from yarl import URL

from sandbox.clock import SandboxClock, iso
from sandbox.errors import Json
from sandbox.vendors.account import Account
from sandbox.vendors.behaviour import Behaviour
from sandbox.vendors.modes import SENTENCE, Mode, Point
from sandbox.vendors.result_files import ResultFiles, send
from sandbox.vendors.separate import Model
from sandbox.vendors.settings import UnsupportedBehaviour, VendorSettings
from sandbox.vendors.task import Task
from sandbox.vendors.task_runner import TaskRunner
from sandbox.vendors.wire import Answer, deliver

_KEPT_ENTRIES: Final = 1000
_REFUSALS: Final = frozenset(
    {
        Mode.RATE_LIMIT,
        Mode.CONCURRENCY,
        Mode.NO_CREDIT,
        Mode.BAD_KEY,
        Mode.KEY_NOT_ENABLED,
        Mode.SUSPENDED,
        Mode.MODERATION,
        Mode.ARTIST_NAME,
        Mode.UNKNOWN_CODE,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One of a vendor's documented requests."""

    method: str
    path: str
    handle: Callable[[web.Request], Awaitable[Answer]]
    is_submit: bool = False


class Vendor(ABC):
    """A simulated vendor. Subclasses define its requests, refusals, models and file names."""

    name: ClassVar[str]
    title: ClassVar[str]
    modes: ClassVar[frozenset[Mode]]
    models: ClassVar[Mapping[Any, Model]]
    settings: ClassVar[type[VendorSettings]] = VendorSettings
    usual_latency_s: ClassVar[float] = 3.0
    audio_format = "mp3"

    def __init__(self, *, folder: Path, clock: SandboxClock) -> None:
        self.behaviour = Behaviour(latency_s=self.usual_latency_s)
        self.account = Account()
        self.result_files = ResultFiles(folder=folder / self.name, clock=clock)
        self.tasks = TaskRunner(
            result_files=self.result_files,
            account=self.account,
            behaviour=self.behaviour,
            file_name=self.file_name,
            archive_name=self.archive_name,
        )
        self.submits = 0
        self.accepted = 0
        self.log: deque[Json] = deque(maxlen=_KEPT_ENTRIES)
        self._clock = clock

    @abstractmethod
    def calls(self) -> tuple[Call, ...]:
        """Return the documented requests."""

    @abstractmethod
    def has_key(self, request: web.Request) -> bool:
        """Return whether a request carries the valid key."""

    @abstractmethod
    def refusal(self, mode: Mode) -> Answer:
        """Return the documented refusal for a mode."""

    @abstractmethod
    def file_name(self, task: Task, stem: str) -> str:
        """Return a result's file name."""

    def archive_name(self, task: Task) -> str | None:
        """Return the name of the archive of all results, if there is one."""
        return None

    def change(self, wanted: VendorSettings) -> None:
        """Change the vendor's behaviour. Raises UnsupportedBehaviour without changing anything."""
        if wanted.mode is not None and wanted.mode not in self.modes:
            raise UnsupportedBehaviour(
                f"By its documents {self.title} never {SENTENCE[wanted.mode]}."
            )
        if wanted.times is not None and wanted.mode in (None, Mode.OK):
            raise UnsupportedBehaviour("times says how often a mode takes effect, so it needs one.")
        if wanted.mode is not None:
            self.behaviour.change(wanted.mode, wanted.times)
        if "retry_after_s" in wanted.model_fields_set:
            self.behaviour.retry_after_s = wanted.retry_after_s
        if wanted.latency_s is not None:
            self.behaviour.latency_s = wanted.latency_s
        if wanted.drip_s is not None:
            self.behaviour.drip_s = wanted.drip_s
        if wanted.credit_minutes is not None:
            self.account.credit_minutes = wanted.credit_minutes
        if wanted.links_live_s is not None:
            self.result_files.lifetime_s = wanted.links_live_s
        for name, value in wanted.own().items():
            setattr(self, name, value)

    def shown(self) -> Json:
        """Return the vendor's request log, billing and behaviour."""
        return {
            "title": self.title,
            "mode": self.behaviour.mode,
            "times": self.behaviour.times,
            "latency_s": self.behaviour.latency_s,
            "submits": self.submits,
            "accepted": self.accepted,
            "running": self.tasks.running,
            "minutes_billed": self.account.minutes_billed,
            "credit_minutes": self.account.credit_minutes,
            "log": list(self.log),
        }

    def application(self) -> web.Application:
        """Return the vendor's web application."""
        application = web.Application()
        for call in self.calls():
            application.router.add_route(call.method, call.path, self._handler_of(call))
        application.router.add_get("/files/{task}/{name}", self._send_result, allow_head=False)
        application.router.add_get("/private", self._send_nothing)
        return application

    async def close(self) -> None:
        """Release hanging requests and abandon all tasks."""
        self.behaviour.change(Mode.OK)
        await self.tasks.close()

    def begin(self, song: str, model: Model) -> Task:
        """Start a task."""
        task = Task(
            id=self.new_id(),
            song=song,
            model=model,
            suffix=self.audio_format,
            mode=self.behaviour.take(Point.TASK),
        )
        self.accepted += 1
        self.tasks.begin(task)
        return task

    def retry_after(self, mode: Mode) -> dict[str, str]:
        """Return the Retry-After header for refused requests, if one is set."""
        after_s = self.behaviour.retry_after_s
        has_header = mode is Mode.RATE_LIMIT and after_s is not None
        return {"Retry-After": str(after_s)} if has_header else {}

    def new_id(self) -> str:
        """Return an id for a task."""
        return secrets.token_hex(16)

    def links(self, request: web.Request, task: Task) -> dict[str, str]:
        """Return the addresses of a task's results, by the model's stem names."""
        is_expired = not task.had_links and self.behaviour.take(Point.LINKS) is not Mode.OK
        task.had_links = True
        return {
            stem: self.link(request, task, name, is_expired=is_expired)
            for stem, name in task.files.items()
        }

    def link(self, request: web.Request, task: Task, name: str, *, is_expired: bool = False) -> str:
        """Return the address of one of a task's files."""
        place = request.url.origin() / "vendors" / self.name / "files" / task.id / name
        return str(place.with_query(self.result_files.query(task.id, name, is_expired=is_expired)))

    def _handler_of(self, call: Call) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            mode = self.behaviour.take(Point.REQUEST)
            if call.is_submit and mode is not Mode.DOWN:
                self.submits += 1
            if call.is_submit and mode is Mode.OK:
                mode = self.behaviour.take(Point.SUBMIT)
            answer = await self._answer(request, call, mode)
            outcome = answer.outcome if mode is Mode.OK else f"{answer.outcome} ({mode})"
            self._note(request, answer.reference, outcome)
            return await deliver(request, answer, mode, drip_s=self.behaviour.drip_s)

        return serve

    async def _answer(self, request: web.Request, call: Call, mode: Mode) -> Answer:
        match mode:
            case Mode.DOWN:
                return Answer(data=None, outcome="reset")
            case Mode.ERROR_500:
                return Answer(data="Internal Server Error", status=500, outcome="failed")
            case Mode.ERROR_503:
                return Answer(data="Service Unavailable", status=503, outcome="failed")
            case Mode.HANG_BEFORE_ANSWER:
                await request.read()
                await self.behaviour.wait_for_change()
                return Answer(data=None, outcome="never answered")
            case _:
                pass
        if mode in _REFUSALS:
            return self.refusal(mode)
        if not self.has_key(request):
            return self.refusal(Mode.BAD_KEY)
        if call.is_submit and self.account.credit_minutes == 0:
            return self.refusal(Mode.NO_CREDIT)
        return await call.handle(request)

    async def _send_result(self, request: web.Request) -> web.StreamResponse:
        path = self.result_files.find(request)
        if path is None or not await asyncio.to_thread(path.is_file):
            self._note(request, request.match_info["task"], "no such file, or no longer")
            return web.Response(status=403 if path is None else 404, text="Access denied")
        mode = self.behaviour.take(Point.RESULT)
        self._note(request, request.match_info["task"], "sent" if mode is Mode.OK else mode)
        if mode is Mode.REDIRECT_PRIVATE:
            raise web.HTTPFound(self._private_address(request))
        return await send(request, path, mode)

    def _private_address(self, request: web.Request) -> URL:
        """Return an address of this server under a host name that no bot trusts.

        A bot that follows it stays on this machine, and the request appears in the log.
        """
        other = "127.0.0.1" if request.url.host == "localhost" else "localhost"
        return request.url.origin().with_host(other) / "vendors" / self.name / "private"

    async def _send_nothing(self, request: web.Request) -> web.Response:
        self._note(request, "", "followed to a private address")
        return web.Response(text="This address is private.")

    def _note(self, request: web.Request, reference: str, outcome: str) -> None:
        self.log.append(
            {
                "method": request.method,
                "path": request.path.removeprefix(f"/vendors/{self.name}"),
                "at": iso(self._clock.now()),
                "reference": reference,
                "outcome": outcome,
            }
        )
