"""FineVoice: one request that returns either results or a task to poll.

The statuses 401 and 422 are documented, as are `status`, `url`, `urls`, `taskId` and `error` in the
body. The error codes 402 for no credit, 404 for an unknown task and 429 are inferred from the
statement that `status` is "HTTP-style".
"""

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

from aiohttp import web

from sandbox.clock import iso
from sandbox.errors import Json
from sandbox.vendors.forms import Form, WebAddress, WrongForm, has_bearer, read_form
from sandbox.vendors.modes import ANY_VENDOR, Mode
from sandbox.vendors.separate import REST, Model
from sandbox.vendors.settings import VendorSettings
from sandbox.vendors.task import Task, TaskState
from sandbox.vendors.vendor import Call, Vendor
from sandbox.vendors.wire import Answer

_RUNNING: Final = 202
_UNKNOWN_STATUS: Final = 299
_REFUSALS: Final = {
    Mode.BAD_KEY: (401, "UNAUTHORIZED", "Invalid or missing API key."),
    Mode.NO_CREDIT: (402, "INSUFFICIENT_CREDITS", "Not enough credits."),
    Mode.RATE_LIMIT: (429, "TOO_MANY_REQUESTS", "Too many requests."),
}


class FineVoiceSettings(VendorSettings):
    """`at_once`: every request returns results. `named_files`: file names contain the stem."""

    at_once: bool | None = None
    named_files: bool | None = None


class _Separation(Form):
    sourceUrl: WebAddress  # noqa: N815 - as on the wire
    model: Literal["vocal-remover", "htdemucs_6s-4", "reverb"]
    useAsync: bool = False  # noqa: N815 - as on the wire


class FineVoice(Vendor):
    """Simulates FineVoice, which returns addresses without naming the stems."""

    name = "finevoice"
    title = "FineVoice"
    settings = FineVoiceSettings
    modes = ANY_VENDOR | {Mode.UNKNOWN_STATUS, Mode.NEVER_FINISHES}
    models: ClassVar[Mapping[Any, Model]] = {
        "vocal-remover": Model(stems={"vocals": "vocals", "no_vocals": REST}),
        "htdemucs_6s-4": Model(
            stems={
                **{name: name for name in ("bass", "drums", "vocals", "piano", "guitar")},
                "other": REST,
            }
        ),
        "reverb": Model(stems={"no_reverb": "dry"}),
    }
    at_once = False
    named_files = True

    def calls(self) -> tuple[Call, ...]:
        """Return the two documented requests."""
        return (
            Call(method="POST", path="/v1/audio/separation", handle=self._separate, is_submit=True),
            Call(method="GET", path="/v1/task/{task_id}", handle=self._get),
        )

    def has_key(self, request: web.Request) -> bool:
        """Check the bearer token."""
        return has_bearer(request)

    def refusal(self, mode: Mode) -> Answer:
        """Return the status for a mode, with an error in the body."""
        status, code, message = _REFUSALS[mode]
        return self._failure(status, code, message, headers=self.retry_after(mode))

    def new_id(self) -> str:
        """Return an id in the form of the documented sample."""
        return str(uuid.uuid4())

    def file_name(self, task: Task, stem: str) -> str:
        """Return a name with or without the stem, according to `named_files`."""
        if self.named_files:
            return f"{task.title}_{stem}.{task.suffix}"
        return f"{list(task.model.stems).index(stem)}.{task.suffix}"

    async def _separate(self, request: web.Request) -> Answer:
        try:
            form = await read_form(request, _Separation)
        except WrongForm as exc:
            return self._failure(422, "VALIDATION_ERROR", str(exc))
        task = self.begin(form.sourceUrl, self.models[form.model])
        if form.useAsync and not self.at_once:
            return self._shown(request, task)
        await task.ended.wait()
        return self._shown(request, task)

    async def _get(self, request: web.Request) -> Answer:
        task = self.tasks.find(request.match_info["task_id"])
        if task is None:
            return self._failure(404, "NOT_FOUND", "There is no such task.")
        return self._shown(request, task)

    def _shown(self, request: web.Request, task: Task) -> Answer:
        match task.state:
            case TaskState.RUNNING:
                is_odd = task.mode is Mode.UNKNOWN_STATUS
                status = _UNKNOWN_STATUS if is_odd else _RUNNING
                data = self._body(status, taskId=task.id)
            case TaskState.FAILED:
                error = {"code": "TASK_FAILED", "message": task.reason}
                data = self._body(500, taskId=task.id, error=error)
            case TaskState.DONE:
                urls = list(self.links(request, task).values())
                results = {"urls": urls} if len(urls) > 1 else {"url": urls[0]}
                data = self._body(200, taskId=task.id, **results)
        return Answer(data=data, reference=task.id, outcome=task.state)

    def _failure(
        self, status: int, code: str, message: str, *, headers: dict[str, str] | None = None
    ) -> Answer:
        data = self._body(status, error={"code": code, "message": message})
        return Answer(data=data, status=status, headers=headers or {}, outcome=f"refused: {status}")

    def _body(self, status: int, **more: object) -> Json:
        now = iso(self._clock.now())
        return {"status": status, "service": "separation", "port": "443", "timestamp": now, **more}
