"""FineVoice: https://api.finevoice.ai, "Audio Separation".

A task may be answered with its results at once or with a `taskId` to ask about, also when
`useAsync` is true. `status` in the body is "HTTP-style": 200 done, 202 running, anything else a
failure with its `error`. An older version of the API has `task_id`, words for `status` and a
plain string for `error`; both are read. `urls` are not labelled: see file_names.
"""

from dataclasses import replace
from enum import Enum, auto
from typing import Final
from urllib.parse import quote

from pydantic import AliasChoices, Field, TypeAdapter

from bot.domain.attempt import RemoteFile, RemoteRef
from bot.domain.errors import ProviderError, ProviderRefused, SubmitUncertain
from bot.domain.recipes import Stem
from bot.net.api_client import Answer
from bot.providers.file_names import stems_by_name
from bot.providers.hosted import Hosted, address
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
from bot.providers.responses import Wire, meaning, misread, read, scrubbed


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
        """The addresses: `urls` where there are any, else `url`."""
        several = tuple(filter(None, self.urls or ()))
        return several or tuple(filter(None, (self.url,)))

    @property
    def complaint(self) -> str:
        """What the service says went wrong, fit for a log."""
        match self.error:
            case _Error(code=code, message=message):
                return scrubbed(f"{code or ''} {message or ''}")
            case _:
                return scrubbed(self.error or "")


_TASK: Final = TypeAdapter(_Task)


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

_ABOUT_THE_OWNER: Final = frozenset({401, 402, 403, 429})

_PAIR: Final = frozenset({Stem.VOCALS, Stem.INSTRUMENTAL})

CAPABILITIES: Final = Capabilities(
    name="finevoice",
    title="FineVoice",
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
    key_setting="FINEVOICE_API_KEY",
)

_DECLARED: Final = {model.name: model.stems for model in CAPABILITIES.models}


class FineVoice(Hosted):
    """Starts tasks, asks about them, and names their unlabelled results."""

    declared = CAPABILITIES
    base_url = "https://apis.finevoice.ai"

    async def submit(self, call: Call, source: Source) -> Accepted | Finished:
        """Start a task."""
        answer = await self._http.submit(
            "/v1/audio/separation",
            headers=self._headers,
            json={"sourceUrl": address(source), "model": call.model.name, "useAsync": True},
        )
        task = _task(answer, is_submit=True)
        state = _state(task)
        if state is _State.FAILED:
            raise _submit_error(task, answer)
        if state is _State.DONE and task.results:
            return Finished(_files(call.model.name, task.results))
        if not task.task_id:
            raise misread(answer, "a task without an id")
        # An answer to a poll does not say which model was asked for; naming its files needs it.
        return Accepted(RemoteRef(f"{call.model.name}:{task.task_id}"))

    async def poll(self, ref: RemoteRef) -> Running | Finished | Failed | Lost:
        """Ask about a task."""
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
                    raise misread(answer, "done without results")
                return Finished(_files(model, task.results))
            case _State.FAILED:
                return _poll_failure(task, answer)
            case _State.RUNNING:
                return Running()
            case None:
                return self._running(str(task.status))


def _task(answer: Answer, *, is_submit: bool) -> _Task:
    if answer.status == 422 and is_submit:
        raise ProviderRefused("the request was found invalid")
    task = read(_TASK, answer) if 200 <= answer.status < 300 else None
    if task is None:
        raise meaning(answer, is_submit=is_submit)
    return task


def _number(task: _Task) -> int | None:
    """Return the "HTTP-style" status, if it is one and not a word."""
    if isinstance(task.status, int):
        return task.status
    return int(task.status) if len(task.status) == 3 and task.status.isdecimal() else None


def _state(task: _Task) -> _State | None:
    """Return what `status` says; None for a word that no document has."""
    number = _number(task)
    if number is not None:
        return _STATES.get(number, _State.FAILED)
    return _STATES.get(str(task.status).strip().lower())


def _submit_error(task: _Task, answer: Answer) -> ProviderError:
    number = _number(task)
    if number == 422:
        return ProviderRefused(task.complaint)
    if number in _ABOUT_THE_OWNER:
        return meaning(replace(answer, status=number), is_submit=True)
    # The task began and failed; what that cost is not known.
    return SubmitUncertain(f"status {task.status}: {task.complaint}")


def _poll_failure(task: _Task, answer: Answer) -> Failed | Lost:
    number = _number(task)
    if number == 404:
        return Lost()
    if number in _ABOUT_THE_OWNER:
        raise meaning(replace(answer, status=number), is_submit=False)
    return Failed(f"status {task.status}: {task.complaint}", refused=number == 422)


def _files(model: str, urls: tuple[str, ...]) -> tuple[RemoteFile, ...]:
    """Name the results by their files' names; what is then left over in number names itself."""
    declared = _DECLARED.get(model, frozenset())
    stems = [stem if stem in declared else None for stem in stems_by_name(urls)]
    missing = declared.difference(stems)
    if len(urls) == len(declared) and len(missing) == 1:
        stems[stems.index(None)] = next(iter(missing))
    files = tuple(RemoteFile(url, stem) for url, stem in zip(urls, stems, strict=True))
    return tuple(file for file in files if file.stem) if declared <= set(stems) else files
