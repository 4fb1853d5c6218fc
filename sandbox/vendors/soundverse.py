"""Soundverse: one request that blocks until the stems are done and returns them.

Only the bodies are documented; every status except 200 is an assumption.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

from aiohttp import web

from sandbox.vendors.forms import Form, WebAddress, WrongForm, has_bearer, read_form
from sandbox.vendors.modes import ANY_VENDOR, Mode
from sandbox.vendors.separate import REST, Model
from sandbox.vendors.settings import VendorSettings
from sandbox.vendors.task import Task, TaskState
from sandbox.vendors.vendor import Call, Vendor
from sandbox.vendors.wire import Answer

_DETAILS: Final = {
    Mode.BAD_KEY: (401, "Invalid API key"),
    Mode.NO_CREDIT: (402, "Not enough credits"),
    Mode.RATE_LIMIT: (429, "Too many requests"),
}
_WORDS: Final = {
    Mode.MODERATION: "NSFW words detected. Please try again with a different prompt.",
    Mode.ARTIST_NAME: "Artist name detected. Please try again with a different prompt.",
}
_REFUSED: Final = 400
_INSTRUMENTS: Final = {
    "Guitar": "guitar",
    "Other": REST,
    "Drums": "drums",
    "Bass": "bass",
    "Piano": "piano",
}


class SoundverseSettings(VendorSettings):
    """The format of the results is configurable, because it is undocumented."""

    audio_format: Literal["mp3", "wav"] | None = None


class _Order(Form):
    audioUrl: WebAddress  # noqa: N815 - as on the wire


class Soundverse(Vendor):
    """Simulates Soundverse, where a lost connection also loses the result."""

    name = "soundverse"
    title = "Soundverse"
    settings = SoundverseSettings
    usual_latency_s = 6.0
    modes = ANY_VENDOR | {Mode.MODERATION, Mode.ARTIST_NAME}
    models: ClassVar[Mapping[Any, Model]] = {
        "vocals": Model(stems={"vocals": "vocals"}),
        "instruments": Model(stems=_INSTRUMENTS, kept_back=("vocals",)),
        "all-stems": Model(stems={"vocals": "vocals", **_INSTRUMENTS}),
    }

    def calls(self) -> tuple[Call, ...]:
        """Return the only documented request."""
        models = "|".join(self.models)
        path = f"/v1/generate/stem-separation/{{model:{models}}}"
        return (Call(method="POST", path=path, handle=self._separate, is_submit=True),)

    def has_key(self, request: web.Request) -> bool:
        """Check the bearer token."""
        return has_bearer(request)

    def refusal(self, mode: Mode) -> Answer:
        """Return one of the documented bodies."""
        if mode in _WORDS:
            data = {"success": False, "message": _WORDS[mode]}
            return Answer(data=data, status=_REFUSED, outcome=f"refused: {_REFUSED}")
        status, detail = _DETAILS[mode]
        return Answer(
            data={"detail": detail},
            status=status,
            headers=self.retry_after(mode),
            outcome=f"refused: {status}",
        )

    def file_name(self, task: Task, stem: str) -> str:
        """Return a meaningless name. The response names the stem."""
        return f"{task.id[:8]}-{stem.lower()}.{task.suffix}"

    async def _separate(self, request: web.Request) -> Answer:
        try:
            form = await read_form(request, _Order)
        except WrongForm as exc:
            return Answer(data={"detail": str(exc)}, status=422, outcome="refused: 422")
        task = self.begin(form.audioUrl, self.models[request.match_info["model"]])
        await task.ended.wait()
        if task.state is TaskState.FAILED:
            data = {"Detail": task.reason}
            return Answer(data=data, status=500, reference=task.id, outcome="failed")
        links = self.links(request, task)
        stems = [{"audioName": stem, "audioUrl": link} for stem, link in links.items()]
        return Answer(data=stems, reference=task.id, outcome="done")
