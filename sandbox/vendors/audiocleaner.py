"""AudioCleaner: tasks are created and polled. Every response is HTTP 200 with a code in its body.

The response to a wrong parameter is undocumented, so `_WRONG_PARAMETER` is an assumption.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from aiohttp import web

from sandbox.errors import Json
from sandbox.vendors.forms import Form, WebAddress, WrongForm, is_key, read_form
from sandbox.vendors.modes import ANY_VENDOR, Mode
from sandbox.vendors.separate import REST, Model
from sandbox.vendors.settings import VendorSettings
from sandbox.vendors.task import Task, TaskState
from sandbox.vendors.vendor import Call, Vendor
from sandbox.vendors.wire import Answer

_SUCCESS: Final = 100000
_TASK_NOT_FOUND: Final = 101008
_WRONG_PARAMETER: Final = 100400
_REFUSALS: Final = {
    Mode.NO_CREDIT: (100100, "Insufficient credit balance"),
    Mode.BAD_KEY: (101002, "Invalid API key"),
    Mode.RATE_LIMIT: (101003, "API key rate limit exceeded"),
    Mode.CONCURRENCY: (101004, "API key concurrent request limit exceeded"),
    Mode.SUSPENDED: (
        101005,
        "Your account is suspended. Status cannot be modified. Please contact the administrator",
    ),
    Mode.KEY_NOT_ENABLED: (101006, "API key not enabled"),
    Mode.UNKNOWN_CODE: (109999, "A code that no document lists"),
}
_STATUS: Final = {
    TaskState.RUNNING: "waiting",
    TaskState.DONE: "success",
    TaskState.FAILED: "failed",
}


def _model(*stems: str) -> Model:
    return Model(stems={stem: REST if stem == "other" else stem for stem in stems})


class AudioCleanerSettings(VendorSettings):
    """Model 350 also returns `other`, as in the documented sample, unless `extra_stems` is off."""

    extra_stems: bool | None = None


class _Create(Form):
    model_type: int
    inputurl: WebAddress


class _Get(Form):
    job_id: str


class AudioCleaner(Vendor):
    """Simulates AudioCleaner, which bills successful tasks by the started minute."""

    name = "audiocleaner"
    title = "AudioCleaner"
    settings = AudioCleanerSettings
    audio_format = "wav"
    modes = ANY_VENDOR | {
        Mode.CONCURRENCY,
        Mode.KEY_NOT_ENABLED,
        Mode.SUSPENDED,
        Mode.UNKNOWN_STATUS,
        Mode.UNKNOWN_CODE,
        Mode.NEVER_FINISHES,
    }
    models: ClassVar[Mapping[Any, Model]] = {
        350: _model("vocals"),
        490: _model("lead_vocals", "backing_vocals", "other"),
        340: _model("drums"),
        360: _model("bass"),
        380: _model("piano"),
        390: _model("guitar"),
        491: _model("strings"),
        492: _model("wind"),
        493: _model("synthesizer"),
        501: _model("bass", "drums", "vocals", "other"),
        320: _model("bass", "drums", "vocals", "piano", "guitar", "other"),
    }
    extra_stems = True

    def calls(self) -> tuple[Call, ...]:
        """Return the two documented requests."""
        base = "/audio/api/v1/api-keys/separation/task"
        return (
            Call(method="POST", path=f"{base}/create", handle=self._create, is_submit=True),
            Call(method="POST", path=f"{base}/get", handle=self._get),
        )

    def has_key(self, request: web.Request) -> bool:
        """Check `api-key`, the spelling in all documented examples. One table has `api_key`."""
        return is_key(request.headers.get("api-key"))

    def refusal(self, mode: Mode) -> Answer:
        """Return the code for a mode, with the message of its documented sample."""
        code, message = _REFUSALS[mode]
        return Answer(
            data=_said(code, message), headers=self.retry_after(mode), outcome=f"refused: {code}"
        )

    def file_name(self, task: Task, stem: str) -> str:
        """Return a name like the documented `before_vocals.wav`."""
        return f"{task.title}_{stem}.{task.suffix}"

    def archive_name(self, task: Task) -> str:
        """Return a name like the documented `before.zip`."""
        return f"{task.title}.zip"

    async def _create(self, request: web.Request) -> Answer:
        try:
            form = await read_form(request, _Create)
        except WrongForm as exc:
            return _wrong(str(exc))
        model = self.models.get(form.model_type)
        if model is None:
            return _wrong("model_type: there is no such model")
        if form.model_type == 350 and self.extra_stems:
            model = _model("vocals", "other")
        task = self.begin(form.inputurl, model)
        return Answer(
            data=_said(_SUCCESS, "Request Success", {"job_id": task.id}),
            reference=task.id,
            outcome="accepted",
        )

    async def _get(self, request: web.Request) -> Answer:
        try:
            form = await read_form(request, _Get)
        except WrongForm as exc:
            return _wrong(str(exc))
        task = self.tasks.find(form.job_id)
        if task is None:
            return Answer(
                data=_said(_TASK_NOT_FOUND, "Task not found"),
                reference=form.job_id,
                outcome=f"refused: {_TASK_NOT_FOUND}",
            )
        status = _STATUS[task.state]
        if task.state is TaskState.RUNNING and task.mode is Mode.UNKNOWN_STATUS:
            status = "mastering"
        data: Json = {"status": status, "file_type": "audio", "video_url": task.song, "output": {}}
        if task.state is TaskState.DONE:
            data["output"] = self.links(request, task)
            data["zip_url"] = self.link(request, task, self.archive_name(task))
        return Answer(
            data=_said(_SUCCESS, "Request Success", data), reference=task.id, outcome=status
        )


def _said(code: int, message: str, data: Json | None = None) -> Json:
    return {"code": code, "data": data or {}, "message": message}


def _wrong(what: str) -> Answer:
    data = _said(_WRONG_PARAMETER, f"Wrong parameter: {what}")
    return Answer(data=data, outcome=f"refused: {_WRONG_PARAMETER}")
