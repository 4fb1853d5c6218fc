"""Hand-written fakes of the bot's protocols, shared by tests."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from bot.audio.analysis_task import Role
from bot.audio.clip_task import CLIP_FRAMES, Clipped
from bot.audio.rendition_tasks import Rendered, RenderedOutput
from bot.audio.tasks import Combined, Decoded, DoesNotFit, Encoded, Fitted, Level, Mix, Part
from bot.delivery.port import Delivered, Delivery, Refused
from bot.domain.analysis import Analysis
from bot.domain.attempt import RemoteFile, RemoteRef
from bot.domain.errors import ProviderError
from bot.domain.job import Job, JobId
from bot.domain.minutes import SAMPLE_RATE
from bot.domain.recipes import AudioFormat, Stem
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


class FakeClock:
    """A clock that moves only when a test moves it."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def move(self, **amount: float) -> None:
        self.at += timedelta(**amount)


TWO_STEMS = Model(name="two", stems=frozenset({Stem.VOCALS, Stem.INSTRUMENTAL}), sums_to_song=True)

Answer = Accepted | Finished | ProviderError
PollAnswer = Running | Finished | Failed | Lost | ProviderError


class FakeProvider:
    """A provider with scripted answers that records its calls."""

    def __init__(self, name: str = "fake", **declared: object) -> None:
        values: dict[str, object] = {
            "title": name.title(),
            "models": (TWO_STEMS,),
            "poll_interval_s": 0.01,
        }
        self.capabilities = Capabilities(name=name, **{**values, **declared})  # type: ignore[arg-type] # as declared by the test
        self.submits: list[Call] = []
        self.sources: list[Source] = []
        self.cancelled: list[RemoteRef] = []
        self.on_submit: list[Answer] = []
        self.on_poll: list[PollAnswer] = []
        self.on_cancel: list[Exception] = []
        self.gate: asyncio.Event | None = None
        """When set, a submit waits for it before it answers."""

    async def submit(self, call: Call, source: Source) -> Accepted | Finished:
        self.submits.append(call)
        self.sources.append(source)
        if self.gate is not None:
            await self.gate.wait()
        answer = self.on_submit.pop(0) if self.on_submit else self.accepts()
        if isinstance(answer, ProviderError):
            raise answer
        return answer

    def accepts(self) -> Accepted:
        return Accepted(RemoteRef(f"{self.capabilities.name}-{len(self.submits)}"))

    def finishes(self) -> Finished:
        stems = sorted(self.capabilities.models[0].stems)
        return Finished(tuple(RemoteFile(f"remote/{stem}", stem) for stem in stems))

    async def poll(self, ref: RemoteRef) -> Running | Finished | Failed | Lost:
        answer = self.on_poll.pop(0) if self.on_poll else self.finishes()
        if isinstance(answer, ProviderError):
            raise answer
        return answer

    async def fetch(self, file: RemoteFile, into: Path) -> None:
        into.write_bytes(b"stem")

    async def cancel(self, ref: RemoteRef) -> None:
        self.cancelled.append(ref)
        if self.on_cancel:
            raise self.on_cancel.pop(0)

    async def aclose(self) -> None:
        return None


class FakeDownloads:
    """Writes a few bytes, different each time, or raises scripted errors."""

    def __init__(self) -> None:
        self.song: bytes | None = None
        """The content of every download."""
        self._brought = count()
        self.errors: list[Exception] = []
        self.urls: list[str] = []
        self.gate: asyncio.Event | None = None
        self.active = 0
        self.most_active = 0

    async def fetch(self, url: str, into: Path, *, max_bytes: int, deadline_s: float) -> int:
        self.urls.append(url)
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            await asyncio.sleep(0)
            if self.gate is not None:
                await self.gate.wait()
            if self.errors:
                raise self.errors.pop(0)
            return into.write_bytes(self.song or b"song %d" % next(self._brought))
        finally:
            self.active -= 1


@dataclass
class FakeAudio:
    """Treats every file as a song of `duration_s`."""

    duration_s: float = 200.0
    decode_error: Exception | None = None
    ends_early: bool = False
    title: str | None = None
    """The file's tags."""
    artist: str | None = None
    album: str | None = None
    cover: bytes | None = None
    """The picture in the file's tags."""
    covers: list[Path | None] = field(default_factory=list)
    """The covers written into the tags of each encoded stem."""
    tags: list[Mapping[str, str]] = field(default_factory=list)
    """The tags written with each encoded stem."""
    bytes_at: Mapping[AudioFormat, int] = field(default_factory=dict)
    """Encoded sizes. A limit below the size raises DoesNotFit."""
    mixes: list[Mix] = field(default_factory=list)
    fits: dict[str, Fitted] = field(default_factory=dict)
    """The results of `fit`, by the stem's file name."""
    level_rms: float = 0.05
    """The level of every combined master."""
    gate: asyncio.Event | None = None
    """If set, encoding waits for this event."""
    heard: Analysis = field(default_factory=Analysis)
    """The result of `analyse` and `analyse_mixes`."""
    is_analysing: bool = False
    render_error: Exception | None = None
    renders: list[Mapping[str, Any]] = field(default_factory=list)
    """The options of each `render`."""

    clips: list[tuple[Path, tuple[Path, ...], tuple[int, ...]]] = field(default_factory=list)
    """The stem, the others and the beats of each `clip`."""
    clip_content: bytes = b"ID3, but no sound"

    async def analyse(self, stems: Sequence[tuple[Path, Role]]) -> Analysis:
        return self.heard

    async def analyse_mixes(
        self, mixes: Sequence[tuple[Sequence[Part], Role]], *, frames: int
    ) -> Analysis:
        return self.heard

    async def render(self, outputs: Sequence[RenderedOutput], **options: Any) -> Rendered:
        if self.render_error is not None:
            raise self.render_error
        self.renders.append({"outputs": tuple(outputs), **options})
        for output in outputs:
            output.path.write_bytes(b"flac")
        level = Level(peak=0.5, rms=self.level_rms)
        return Rendered(factor=1.0, frames=0, levels=(level,) * len(outputs))

    async def decode(
        self, source: Path, into: Path, *, max_duration_s: float, cover: Path | None = None
    ) -> Decoded:
        if self.decode_error is not None:
            raise self.decode_error
        into.write_bytes(b"spool")
        if cover is not None and self.cover is not None:
            cover.write_bytes(self.cover)
        return Decoded(
            frames=int(self.duration_s * SAMPLE_RATE),
            container="mp3",
            codec="mp3",
            title=self.title,
            artist=self.artist,
            album=self.album,
            ends_early=self.ends_early,
        )

    async def combine(self, mixes: Sequence[Mix], *, frames: int | None = None) -> Combined:
        self.mixes.extend(mixes)
        level = Level(peak=0.5, rms=self.level_rms)
        for mix in mixes:
            mix.path.write_bytes(b"flac")
        return Combined(factor=1.0, frames=frames or 0, levels=(level,) * len(mixes))

    async def fit(self, song: Path, stem: Path, *, max_lag_frames: int = 8192) -> Fitted:
        return self.fits.get(
            stem.name,
            Fitted(
                lag_frames=0, gain=1.0, likeness=1.0, sharpness=100.0, song_rms=0.2, stem_rms=0.1
            ),
        )

    async def measure(self, sums: Sequence[Sequence[Part]], *, frames: int) -> tuple[Level, ...]:
        return (Level(peak=0.5, rms=self.level_rms),) * len(sums)

    async def passage(self, spools: Sequence[Path], *, frames: int) -> int:
        return 0

    async def encode(
        self,
        stem: Path,
        into: Path,
        *,
        format: AudioFormat,
        max_bytes: int | None = None,
        tags: Mapping[str, str] | None = None,
        cover: Path | None = None,
    ) -> Encoded:
        self.tags.append(tags or {})
        self.covers.append(cover)
        if self.gate is not None:
            await self.gate.wait()
        size = self.bytes_at.get(format, 4)
        if max_bytes is not None and size > max_bytes:
            raise DoesNotFit(needed_bytes=size, max_bytes=max_bytes)
        into.write_bytes(b"song")
        return Encoded(path=into, size_bytes=size, format=format, bit_rate=None)

    async def clip(
        self, stem: Path, others: Sequence[Path], into: Path, *, beats: Sequence[int] = ()
    ) -> Clipped:
        self.clips.append((stem, tuple(others), tuple(beats)))
        if self.gate is not None:
            await self.gate.wait()
        into.write_bytes(self.clip_content)
        start = beats[0] if beats else 0
        return Clipped(start=start, frames=CLIP_FRAMES, size_bytes=len(self.clip_content))

    async def picture(self, stems: Sequence[tuple[str, Path]], into: Path) -> Path:
        into.write_bytes(b"png")
        return into


class FakeDelivery:
    """Records deliveries instead of showing them."""

    def __init__(self) -> None:
        self.shown: list[tuple[Job, Delivery]] = []
        self.answers: list[Delivered | Refused | Exception] = []
        self.forgotten: list[JobId] = []

    def forget(self, job_id: JobId) -> None:
        self.forgotten.append(job_id)

    async def deliver(self, job: Job, parcel: Delivery) -> Delivered | Refused:
        self.shown.append((job, parcel))
        answer = self.answers.pop(0) if self.answers else Delivered(message_id=77)
        if isinstance(answer, Exception):
            raise answer
        return answer
