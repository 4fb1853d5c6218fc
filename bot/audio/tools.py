"""The bot's interface to all audio work: each call runs in one forked child."""

import asyncio
import logging
import signal
import tempfile
import wave
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeVar

from bot.audio.all_tasks import Answer, Task
from bot.audio.analysis_task import AnalyseMixesTask, AnalyseTask, Listened, ListenedMix, Role
from bot.audio.answers import accepted, discard
from bot.audio.click_track import ClickTrack
from bot.audio.clip_task import Clipped, ClipTask
from bot.audio.pack_tasks import (
    PackCodec,
    Packed,
    PackTask,
    Peaks,
    PeaksTask,
)
from bot.audio.rendition_tasks import Rendered, RenderedOutput, RenderTask, frames_of
from bot.audio.spool import CHANNELS, SAMPLE_RATE
from bot.audio.tasks import (
    Combined,
    CombineTask,
    Decoded,
    DecodeTask,
    Drawn,
    Encoded,
    EncodeTask,
    FitTask,
    Fitted,
    Level,
    Measured,
    MeasureTask,
    Mix,
    Part,
    Passage,
    PassageTask,
    PictureTask,
    Refusal,
    Row,
    part_of,
)
from bot.domain.analysis import Analysis
from bot.domain.errors import CANNOT_START, AudioFailed, ChildLost, NoRoom, Reason, Rejected
from bot.domain.recipes import AudioFormat
from bot.domain.renditions import UNCHANGED_PERCENT
from bot.processes import ipc, spawn
from bot.processes.fork_client import ForkServer, Outcome, ServerDied

log = logging.getLogger(__name__)

_SERVER = spawn.module_command("bot.audio.child")
_A = TypeVar("_A", bound=Answer)

_DIED_OF_THE_FILE = frozenset(
    -number
    for number in (
        signal.SIGXCPU,
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGABRT,
        signal.SIGFPE,
        signal.SIGILL,
    )
)
"""Exit statuses that a hostile file can cause by exceeding the CPU limit or crashing a decoder."""


class Elsewhere(Protocol):
    """Another machine that runs audio tasks, if it can and if that is worth the transfers."""

    async def run(
        self, task: Task, take: Callable[[Answer | Refusal], _A], *, is_busy: bool
    ) -> _A | None:
        """Return what `take` makes of the answer, with the outputs on this disk.

        `is_busy` says whether the task would have to wait here. Raises the task's own refusal or
        failure. Returns None, and leaves no output, if the task was not run to its end.
        """
        ...


class AudioTools:
    """Runs audio tasks in children with hard limits.

    Up to `decoding_at_once` children decode, one writes packs, one renders, one cuts clips, one
    analyses, and up to `at_once` others run the remaining tasks.

    All methods raise `AudioFailed` if the child dies or runs out of time, and `NoRoom` if the
    machine has no room for the child or its output. If they fail or are cancelled, no output and no
    child is left behind. The fork server starts with the first call and ends with `aclose`.
    """

    def __init__(
        self,
        *,
        decoding_at_once: int = 2,
        at_once: int = 3,
        server: Sequence[str] = _SERVER,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        """By default, a song's two stems can be encoded while its picture is drawn.

        Tasks that `elsewhere` runs need no child here.
        """
        self._elsewhere = elsewhere
        self._server = ForkServer(server, environment=spawn.environment())
        self._decoding = asyncio.Semaphore(decoding_at_once)
        self._other_work = asyncio.Semaphore(at_once)
        self._packing = asyncio.Semaphore(1)
        self._analysing = asyncio.Semaphore(1)
        self._rendering = asyncio.Semaphore(1)
        self._clipping = asyncio.Semaphore(1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End all children and refuse further calls; calls under way fail."""
        await self._server.close()

    async def check(self) -> None:
        """Decode a known good sound in a child. Raises AudioFailed if it cannot be decoded."""
        with tempfile.TemporaryDirectory(prefix="stemcord-") as folder:
            song, into = Path(folder) / "song.wav", Path(folder) / "song.f32"
            frames = _write_own_sound(song)
            task = DecodeTask(source=song, into=into, max_frames=frames)
            ended = await self._ended(task)
            try:
                is_well = ended.status == 0 and _answer(task, Decoded, ended).frames == frames
            except (Rejected, ipc.MalformedMessage) as exc:
                raise AudioFailed(f"a known good sound cannot be decoded: {exc}") from exc
            if not is_well:
                raise AudioFailed(f"decoding a known good sound ended with status {ended.status}")

    async def decode(
        self, source: Path, into: Path, *, max_duration_s: float, cover: Path | None = None
    ) -> Decoded:
        """Decode an untrusted file into the spool `into`, reading no further than the limit.

        The picture in its tags becomes a small JPEG at `cover`, if there is one.

        Raises `Rejected`: NOT_AUDIO, EMPTY_FILE, NO_AUDIO_TRACK, BROKEN_FILE or TOO_LONG. The
        returned length is measured on the spool, because billing must not rely on the child's
        claim.
        """
        task = DecodeTask(
            source=_absolute(source),
            into=_absolute(into),
            max_frames=int(max_duration_s * SAMPLE_RATE),
            cover=None if cover is None else _absolute(cover),
        )
        return await self._run(task, Decoded)

    async def combine(self, mixes: Sequence[Mix], *, frames: int | None = None) -> Combined:
        """Write every mix as a 16-bit FLAC master, all scaled by one factor if any would clip.

        Masters have `frames` frames, or as many as the longest spool; shorter spools end in
        silence.
        """
        task = CombineTask(mixes=tuple(map(_absolute_mix, mixes)), frames=frames)
        return await self._run(task, Combined)

    async def measure(self, sums: Sequence[Sequence[Part]], *, frames: int) -> tuple[Level, ...]:
        """Measure the level of each of these sums of spools over `frames` frames."""
        task = MeasureTask(sums=tuple(map(_absolute_parts, sums)), frames=frames)
        return (await self._run(task, Measured)).levels

    async def passage(self, spools: Sequence[Path], *, frames: int) -> int:
        """Return the first frame of a passage of `frames` frames in which all these spools are
        loud.
        """
        task = PassageTask(spools=tuple(map(_absolute, spools)), frames=frames)
        return (await self._run(task, Passage)).start

    async def fit(self, song: Path, stem: Path, *, max_lag_frames: int = 8192) -> Fitted:
        """Measure the lag of a stem's spool behind its song's, and its gain in the song."""
        task = FitTask(song=_absolute(song), stem=_absolute(stem), max_lag_frames=max_lag_frames)
        return await self._run(task, Fitted)

    async def encode(
        self,
        stem: Path,
        into: Path,
        *,
        format: AudioFormat,  # noqa: A002 - the domain's word for it
        max_bytes: int | None = None,
        tags: Mapping[str, str] | None = None,
        cover: Path | None = None,
    ) -> Encoded:
        """Encode a FLAC master at the best rate that fits `max_bytes`.

        Tags may be title, artist, album, key (as TKEY has it) and bpm.

        The cover is left out of WAV files, and wherever it would lower the sound quality. Raises
        `DoesNotFit` if even the lowest rate, or a format without rates, is too big.
        """
        tags = tags or {}
        task = EncodeTask(
            stem=_absolute(stem),
            into=_absolute(into),
            format=format,
            max_bytes=max_bytes,
            title=tags.get("title"),
            artist=tags.get("artist"),
            album=tags.get("album"),
            cover=None if cover is None else _absolute(cover),
            key=tags.get("key"),
            bpm=tags.get("bpm"),
        )
        return replace(await self._run(task, Encoded), path=into)

    async def render(
        self,
        outputs: Sequence[RenderedOutput],
        *,
        cents: int = 0,
        speed_percent: int = UNCHANGED_PERCENT,
        drums_apart: bool = True,
        click: ClickTrack | None = None,
    ) -> Rendered:
        """Write renditions of FLAC masters as FLAC, all scaled by one factor; see `RenderTask`.

        One call renders at a time, and the others wait. Raises `Rejected` (NO_TIME_STRETCH) when
        the key or the speed changes and this machine lacks the library for that.
        """
        files = tuple(map(_absolute_output, outputs))
        task = RenderTask(
            files=files,
            frames=max(frames_of(part.master) for file in files for part in file.parts),
            cents=cents,
            speed_percent=speed_percent,
            drums_apart=drums_apart,
            click=click,
        )
        return await self._run(task, Rendered)

    async def clip(
        self, stem: Path, others: Sequence[Path], into: Path, *, beats: Sequence[int] = ()
    ) -> Clipped:
        """Write the best seconds of a FLAC master as MP3, as long and as large as Discord accepts.

        See `ClipTask` for the rest. One clip is cut at a time. Equal masters give equal bytes.
        Raises `DoesNotFit` if it is too large.
        """
        task = ClipTask(
            stem=_absolute(stem),
            others=tuple(map(_absolute, others)),
            into=_absolute(into),
            beats=tuple(beats),
        )
        return await self._run(task, Clipped)

    async def picture(self, stems: Sequence[tuple[str, Path]], into: Path) -> Path:
        """Draw the masters' waveforms as PNG, one labelled row each."""
        rows = tuple(Row(label=label, stem=_absolute(stem)) for label, stem in stems)
        await self._run(PictureTask(rows=rows, into=_absolute(into)), Drawn)
        return into

    async def peaks(self, stems: Sequence[Path], *, slices: int) -> tuple[str, ...]:
        """Return each master's peaks as `Peaks` describes them."""
        task = PeaksTask(stems=tuple(map(_absolute, stems)), slices=slices)
        return (await self._run(task, Peaks)).stems

    async def pack(
        self, stems: Sequence[Path], into: Path, *, codec: PackCodec, frames: int
    ) -> None:
        """Write the masters' packs into a folder, in playing order; each appears once it is
        complete.

        Existing packs stay. Complete packs also stay after a failure.
        """
        task = PackTask(
            stems=tuple(map(_absolute, stems)), into=_absolute(into), codec=codec, frames=frames
        )
        await self._run(task, Packed)

    async def analyse(self, stems: Sequence[tuple[Path, Role]]) -> Analysis:
        """Measure key, tempo, tuning and beats of the song to which these masters add up.

        Values that are too uncertain are None. Songs are analysed one at a time and separately from
        all other work, which therefore never waits for an analysis.
        """
        parts = tuple(Listened(master=_absolute(stem), role=role) for stem, role in stems)
        return await self._run(AnalyseTask(parts=parts), Analysis)

    async def analyse_mixes(
        self, mixes: Sequence[tuple[Sequence[Part], Role]], *, frames: int
    ) -> Analysis:
        """Measure the same as `analyse`, but from the spools that the masters are mixed from."""
        heard = (ListenedMix(parts=_absolute_parts(parts), role=role) for parts, role in mixes)
        return await self._run(AnalyseMixesTask(mixes=tuple(heard), frames=frames), Analysis)

    @property
    def is_analysing(self) -> bool:
        """Whether a song is being analysed, so that another one would have to wait."""
        return self._analysing.locked()

    async def perform(self, task: Task) -> Answer | Refusal:
        """Run the task of another process in a child, and return its answer unchecked.

        It starts at once, whatever else is running. Raises Rejected for a file that crashes the
        decoder, ChildLost, another AudioFailed, and NoRoom.
        """
        with self._tidied(task):
            ended = await self._ended(task)
            await self._require_success(task, ended.status)
            answer: Answer | Refusal = ipc.decode(ended.output, Answer | Refusal)
            return answer

    async def _run(self, task: Task, kind: type[_A]) -> _A:
        place = self._place(task)
        if not _keeps_its_place(task):
            found = await self._run_elsewhere(task, kind, is_busy=place.locked())
            if found is not None:
                return found
        async with place:
            if _keeps_its_place(task):
                found = await self._run_elsewhere(task, kind, is_busy=False)
                if found is not None:
                    return found
            with self._tidied(task):
                ended = await self._ended(task)
                await self._require_success(task, ended.status)
                return _answer(task, kind, ended)

    async def _run_elsewhere(self, task: Task, kind: type[_A], *, is_busy: bool) -> _A | None:
        if self._elsewhere is None:
            return None
        return await self._elsewhere.run(task, partial(accepted, task, kind), is_busy=is_busy)

    @contextmanager
    def _tidied(self, task: Task) -> Iterator[None]:
        """Raise AudioFailed for a malformed message, and leave no incomplete outputs."""
        try:
            yield
        except ipc.MalformedMessage as exc:
            raise AudioFailed(f"a message of {_name(task)} is malformed: {exc}") from exc
        finally:
            # Only incomplete outputs are left, since a child moves complete ones into place.
            discard(map(part_of, task.outputs))

    def _place(self, task: Task) -> asyncio.Semaphore:
        match task:
            case DecodeTask():
                # An untrusted file may keep a decoder busy for minutes.
                return self._decoding
            case PackTask():
                return self._packing
            case AnalyseTask() | AnalyseMixesTask():
                return self._analysing
            case RenderTask():
                # Renditions are free, so however many are requested, they must not delay new songs.
                return self._rendering
            case ClipTask():
                return self._clipping
            case _:
                return self._other_work

    async def _ended(self, task: Task) -> Outcome:
        """Run the task in a child and return how it ended.

        Raises ChildLost or NoRoom if it could not be run to its end.
        """
        name, wall_s = _name(task), task.budget.wall_s
        try:
            ended = await self._server.run(ipc.encode(task).decode(), wall_s=wall_s)
        except TimeoutError as exc:
            raise ChildLost(f"{name} took over {wall_s:.0f} s") from exc
        except ServerDied as exc:
            raise ChildLost(f"{name} got no child: {exc}") from exc
        except OSError as exc:
            kind_of_failure = NoRoom if exc.errno in CANNOT_START else ChildLost
            raise kind_of_failure(f"{name} could not be started: {exc}") from exc
        if ended.errors:
            log.warning("%s: its child wrote: %s", name, ended.errors.strip())
        return ended

    async def _require_success(self, task: Task, status: int) -> None:
        """Raise the error that a child's exit status stands for, unless it is success.

        A crash is blamed on the file only if a known good file does not crash: on a machine that
        lacks a CPU instruction or a library, every child crashes.
        """
        if isinstance(task, DecodeTask) and status in _DIED_OF_THE_FILE:
            if status != -signal.SIGXCPU:
                await self.check()
            raise Rejected(Reason.BROKEN_FILE)
        if status == -signal.SIGKILL:  # by the system, when memory ran out
            raise ChildLost(f"{_name(task)} was killed")
        if status != 0:
            raise AudioFailed(f"{_name(task)} ended with status {status}")


def _answer(task: Task, kind: type[_A], ended: Outcome) -> _A:
    """Return a child's answer; raises the error that a refusal stands for, or MalformedMessage."""
    return accepted(task, kind, ipc.decode(ended.output, kind | Refusal))


def _keeps_its_place(task: Task) -> bool:
    """Whether a task occupies its place here even while it runs elsewhere.

    Renditions are free of charge, so only one runs at a time, which leaves other machines to songs.
    """
    return isinstance(task, RenderTask)


def _name(task: Task) -> str:
    return type(task).__name__


def _absolute(path: Path) -> Path:
    """Resolve a relative path here, because children may have another working directory."""
    return path.absolute()


def _absolute_mix(mix: Mix) -> Mix:
    return Mix(path=mix.path.absolute(), parts=_absolute_parts(mix.parts))


def _absolute_output(output: RenderedOutput) -> RenderedOutput:
    parts = (replace(part, master=part.master.absolute()) for part in output.parts)
    return RenderedOutput(path=output.path.absolute(), parts=tuple(parts))


def _absolute_parts(parts: Sequence[Part]) -> tuple[Part, ...]:
    return tuple(replace(part, spool=part.spool.absolute()) for part in parts)


def _write_own_sound(path: Path) -> int:
    """Write a tenth of a second of a square wave; return its length in frames."""
    wave_form = (b"\x00\x10" * 2 * 50 + b"\x00\xf0" * 2 * 50) * 45
    with wave.open(str(path), "wb") as file:
        file.setnchannels(CHANNELS)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(wave_form)
    return len(wave_form) // (2 * CHANNELS)
