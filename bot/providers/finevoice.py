"""The adapter for FineVoice: https://api.finevoice.ai, "Audio Separation".

A submit is answered either with the results or with a `taskId` to poll, even if `useAsync` is true.
`status` in the body is "HTTP-style": 200 is done, 202 is running, and anything else is a failure,
described by `error`. An older version of the API has `task_id`, words for `status` and a plain
string for `error`; both versions are read. `urls` are not labelled, so file_names.py identifies
them.
"""

from dataclasses import replace
from enum import Enum, auto
from typing import Final
from urllib.parse import quote

from pydantic import AliasChoices, Field

from bot.domain.attempt import RemoteFile, RemoteRef
from bot.domain.errors import ProviderError, ProviderRefused, SubmitUncertain
from bot.domain.recipes import Stem
from bot.net.api_client import Answer
from bot.providers.file_names import stems_by_name
from bot.providers.hosted import Hosted, song_url
from bot.providers.interface import (
    Accepted,
    Call,
    Capabilities,
    Failed,
    Finished,
    Lost,
    Model,
    Running,
    Source,
)
from bot.providers.responses import (
    Wire,
    check_results,
    protocol_error,
    read,
    scrub,
    status_error,
)


class _Error(Wire):
    code: str | int | None = None
    message: str | None = None


class _Task(Wire):
    status: int | str
    url: str | None = None
    urls: tuple[str | None, ...] | None = None
    task_id: str | None = Field(None, validation_alias=AliasChoices("taskId", "task_id"))
    error: _Error | str | None = None

    @property
    def results(self) -> tuple[str, ...]:
        """The addresses of the results: `urls` if there are any, else `url`."""
        several = tuple(filter(None, self.urls or ()))
        return several or tuple(filter(None, (self.url,)))

    @property
    def error_text(self) -> str:
        """The service's error message, safe to log."""
        match self.error:
            case _Error(code=code, message=message):
                return scrub(f"{code or ''} {message or ''}")
            case _:
                return scrub(self.error or "")


class _State(Enum):
    RUNNING = auto()
    DONE = auto()
    FAILED = auto()


_STATES: Final[dict[int | str, _State]] = {
    200: _State.DONE,
    202: _State.RUNNING,
    "completed": _State.DONE,
    "pending": _State.RUNNING,
    "processing": _State.RUNNING,
    "failed": _State.FAILED,
}

_OPERATOR_STATUSES: Final = frozenset({401, 402, 403, 429})
"""Statuses of errors about the key, the credit or the rate, not about the file."""

_PAIR: Final = frozenset({Stem.VOCALS, Stem.INSTRUMENTAL})

CAPABILITIES: Final = Capabilities(
    name="finevoice",
    title="FineVoice",
    base_url="https://apis.finevoice.ai",
    models=(
        Model(name="vocal-remover", stems=_PAIR, sums_to_song=True),
        Model(
            name="htdemucs_6s-4",
            stems=frozenset(
                {Stem.VOCALS, Stem.DRUMS, Stem.BASS, Stem.GUITAR, Stem.PIANO, Stem.OTHER}
            ),
            sums_to_song=True,
        ),
        Model(name="reverb", stems=frozenset({Stem.DRY})),
    ),
)

_MODELS: Final = {model.name: model for model in CAPABILITIES.models}


class FineVoice(Hosted):
    """Starts tasks, polls them, and names their unlabelled results."""

    declared = CAPABILITIES

    async def submit(self, call: Call, source: Source) -> Accepted | Finished:
        """Start a task."""
        answer = await self._http.submit(
            "/v1/audio/separation",
            headers=self._headers,
            json={"sourceUrl": song_url(source), "model": call.model.name, "useAsync": True},
        )
        task = _task(answer, is_submit=True)
        state = _state(task)
        if state is _State.FAILED:
            raise _submit_error(task, answer)
        if state is _State.DONE and task.results:
            return Finished(_files(call.model.name, task.results, answer))
        if not task.task_id:
            raise protocol_error(answer, "a task without an id")
        # The model is part of the reference, because answers to polls do not name it and `_files`
        # needs it.
        return Accepted(RemoteRef(f"{call.model.name}:{task.task_id}"))

    async def poll(self, ref: RemoteRef) -> Running | Finished | Failed | Lost:
        """Ask for a task's status."""
        model, _, task_id = ref.partition(":")
        answer = await self._http.ask(
            "GET", f"/v1/task/{quote(task_id, safe='')}", headers=self._headers
        )
        if answer.status in {404, 422}:
            return Lost()
        task = _task(answer, is_submit=False)
        match _state(task):
            case _State.DONE:
                if not task.results:
                    raise protocol_error(answer, "done without results")
                return Finished(_files(model, task.results, answer))
            case _State.FAILED:
                return _poll_failure(task, answer)
            case _State.RUNNING:
                return Running()
            case None:
                return self._running(str(task.status))


def _task(answer: Answer, *, is_submit: bool) -> _Task:
    if answer.status == 422 and is_submit:
        raise ProviderRefused("the request was rejected as invalid")
    task = read(_Task, answer) if 200 <= answer.status < 300 else None
    if task is None:
        raise status_error(answer, is_submit=is_submit)
    return task


def _number(task: _Task) -> int | None:
    """Return the "HTTP-style" status, or None if it is a word."""
    if isinstance(task.status, int):
        return task.status
    return int(task.status) if len(task.status) == 3 and task.status.isdecimal() else None


def _state(task: _Task) -> _State | None:
    """Return the state for `status`, or None for an undocumented word."""
    number = _number(task)
    if number is not None:
        return _STATES.get(number, _State.FAILED)
    return _STATES.get(str(task.status).strip().lower())


def _submit_error(task: _Task, answer: Answer) -> ProviderError:
    number = _number(task)
    if number == 422:
        return ProviderRefused(task.error_text)
    if number in _OPERATOR_STATUSES:
        return status_error(replace(answer, status=number), is_submit=True)
    # The task was started and failed, so its cost is unknown.
    return SubmitUncertain(f"status {task.status}: {task.error_text}")


def _poll_failure(task: _Task, answer: Answer) -> Failed | Lost:
    number = _number(task)
    if number == 404:
        return Lost()
    if number in _OPERATOR_STATUSES:
        raise status_error(replace(answer, status=number), is_submit=False)
    return Failed(f"status {task.status}: {task.error_text}", refused=number == 422)


def _files(name: str, urls: tuple[str, ...], answer: Answer) -> tuple[RemoteFile, ...]:
    """Identify the results by file names; a single unidentified one gets the missing stem.

    Raises ProviderProtocol if there are more results than the model declares, or if this version
    does not declare the model.
    """
    model = _MODELS.get(name)
    if model is None:
        raise protocol_error(answer, f"results of an undeclared model {scrub(name)}")
    declared = model.stems
    stems = [stem if stem in declared else None for stem in stems_by_name(urls)]
    missing = declared.difference(stems)
    if len(urls) == len(declared) and len(missing) == 1:
        stems[stems.index(None)] = next(iter(missing))
    files = tuple(RemoteFile(url, stem) for url, stem in zip(urls, stems, strict=True))
    if declared <= set(stems):
        return tuple(file for file in files if file.stem)
    check_results(files, model, answer)
    return files
