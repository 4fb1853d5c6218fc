"""The adapter for AudioCleaner: https://audiocleaner.ai, its "AudioSeparation" API.

A task is created with a public address of the song, then polled until it ends. Both calls are
answered with HTTP 200 and a `code`; a refusal has an empty `data`. Every started minute is billed.
The documentation spells the key's header `api-key` in every example and `api_key` in one table.
"""

from enum import Enum, auto
from typing import Final

from pydantic import Field

from bot.domain.attempt import RemoteFile, RemoteRef
from bot.domain.errors import (
    ProviderAuth,
    ProviderBusy,
    ProviderError,
    ProviderQuotaSpent,
)
from bot.domain.recipes import Stem
from bot.net.api_client import Answer, Json
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
from bot.providers.responses import Wire, protocol_error, read, scrub, status_error

_TASK: Final = "/audio/api/v1/api-keys/separation/task"


class _Envelope(Wire):
    code: int
    message: str | None = None


class _Job(Wire):
    job_id: str = Field(min_length=1)


class _Created(Wire):
    data: _Job


class _Task(Wire):
    status: str
    output: dict[str, str | None] | None = None


class _Got(Wire):
    data: _Task


_SUCCESS: Final = 100000
_NOT_FOUND: Final = 101008
_REFUSALS: Final[dict[int, type[ProviderError]]] = {
    100100: ProviderQuotaSpent,
    101002: ProviderAuth,
    101003: ProviderBusy,  # rate limit
    101004: ProviderBusy,  # concurrency limit
    101005: ProviderAuth,  # account suspended
    101006: ProviderAuth,  # key not enabled
}


class _State(Enum):
    RUNNING = auto()
    DONE = auto()
    FAILED = auto()


# The documentation lists the statuses only as "waiting / success / failed, etc.".
_STATES: Final = {
    "waiting": _State.RUNNING,
    "processing": _State.RUNNING,
    "success": _State.DONE,
    "failed": _State.FAILED,
    "error": _State.FAILED,
    "cancelled": _State.FAILED,
    "canceled": _State.FAILED,
    "timeout": _State.FAILED,
}

_RHYTHM: Final = frozenset({Stem.VOCALS, Stem.DRUMS, Stem.BASS, Stem.OTHER})
_SIX: Final = _RHYTHM | {Stem.PIANO, Stem.GUITAR}
_VOICES: Final = frozenset({Stem.LEAD_VOCALS, Stem.BACKING_VOCALS, Stem.OTHER})
_STEMS: Final = {
    **{stem.value: stem for stem in _SIX | _VOICES | {Stem.STRINGS, Stem.WIND}},
    "synthesizer": Stem.SYNTH,
}


def _single(name: str, stem: Stem) -> Model:
    return Model(name=name, stems=frozenset({stem}))


CAPABILITIES: Final = Capabilities(
    name="audiocleaner",
    title="AudioCleaner",
    base_url="https://audiocleaner.ai",
    models=(
        Model(
            name="350",
            stems=frozenset({Stem.VOCALS}),
            may_add=frozenset({Stem.OTHER}),
            subtractable=True,
        ),
        Model(name="490", stems=_VOICES, sums_to_song=True),
        _single("340", Stem.DRUMS),
        _single("360", Stem.BASS),
        _single("380", Stem.PIANO),
        _single("390", Stem.GUITAR),
        _single("491", Stem.STRINGS),
        _single("492", Stem.WIND),
        _single("493", Stem.SYNTH),
        Model(name="501", stems=_RHYTHM, sums_to_song=True),
        Model(name="320", stems=_SIX, sums_to_song=True),
    ),
)


class AudioCleaner(Hosted):
    """Creates tasks and polls them."""

    declared = CAPABILITIES

    @staticmethod
    def _auth(key: str) -> dict[str, str]:
        return {"api-key": key}

    async def submit(self, call: Call, source: Source) -> Accepted:
        """Create a task."""
        task: Json = {"model_type": int(call.model.name), "inputurl": song_url(source)}
        answer = await self._http.submit(f"{_TASK}/create", headers=self._headers, json=task)
        _check(answer, is_submit=True)
        created = read(_Created, answer)
        if created is None:
            raise protocol_error(answer, "a task without a job_id")
        return Accepted(RemoteRef(created.data.job_id))

    async def poll(self, ref: RemoteRef) -> Running | Finished | Failed | Lost:
        """Ask for a task's status."""
        answer = await self._http.ask(
            "POST", f"{_TASK}/get", headers=self._headers, json={"job_id": ref}
        )
        if _code(answer) == _NOT_FOUND:
            return Lost()
        _check(answer, is_submit=False)
        got = read(_Got, answer)
        if got is None:
            raise protocol_error(answer, "a task without a status")
        status = got.data.status.strip().lower()
        match _STATES.get(status):
            case _State.DONE:
                return Finished(_files(got.data, answer))
            case _State.FAILED:
                return Failed(status)
            case _State.RUNNING:
                return Running()
            case None:
                return self._running(status)


def _code(answer: Answer) -> int | None:
    envelope = read(_Envelope, answer)
    return None if envelope is None else envelope.code


def _check(answer: Answer, *, is_submit: bool) -> None:
    """Raise the error that the answer's code stands for; a refusal has no data to read."""
    envelope = read(_Envelope, answer)
    if envelope is None:
        raise status_error(answer, is_submit=is_submit)
    if envelope.code == _SUCCESS:
        return
    error = _REFUSALS.get(envelope.code)
    text = f"code {envelope.code}: {scrub(envelope.message or '')}"
    if error is ProviderBusy:
        raise ProviderBusy(text, retry_after_s=answer.retry_after_s)
    if error is not None:
        raise error(text)
    if answer.status >= 300:
        raise status_error(answer, is_submit=is_submit)
    raise protocol_error(answer, text)


def _files(task: _Task, answer: Answer) -> tuple[RemoteFile, ...]:
    """Return the results whose key is a stem, including any that the model does not declare."""
    output = task.output or {}
    files = tuple(
        RemoteFile(url, _STEMS[key]) for key, url in output.items() if url and key in _STEMS
    )
    if not files:
        raise protocol_error(answer, "success without results")
    return files
