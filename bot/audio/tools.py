"""The bot's way to everything that opens or writes audio: each call is one child process."""

import asyncio
import logging
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from bot.audio import wire
from bot.audio.spool import SAMPLE_RATE
from bot.audio.tasks import (
    Answer,
    Combined,
    CombineTask,
    Decoded,
    DecodeTask,
    Drawn,
    Encoded,
    EncodeTask,
    FitTask,
    Fitted,
    Mix,
    PictureTask,
    Row,
    Task,
    part_of,
)
from bot.domain.errors import CANNOT_START, AudioFailed, NoRoom, Reason, Rejected
from bot.domain.recipes import AudioFormat
from bot.processes import spawn

log = logging.getLogger(__name__)

_CHILD = spawn.module_command("bot.audio.child")
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
"""Exit statuses that a hostile file can cause: its CPU limit, or a crash in a decoder."""


class AudioTools:
    """Decode, combine, encode and draw, each in a child with hard limits, a few at once.

    All methods raise `AudioFailed` when the child dies or runs out of time, and `NoRoom` when the
    machine has no room for it or its output. They leave no output and no process behind when they
    fail or are cancelled.
    """

    def __init__(self, *, at_once: int = 2, child: Sequence[str] = _CHILD) -> None:
        self._child = child
        self._turn = asyncio.Semaphore(at_once)

    async def decode(self, source: Path, into: Path, *, max_duration_s: float) -> Decoded:
        """Decode a stranger's file into the spool `into`, reading no further than the limit.

        Raises `Rejected`: NOT_AUDIO, EMPTY_FILE, NO_AUDIO_TRACK, BROKEN_FILE or TOO_LONG.
        """
        task = DecodeTask(
            source=source,
            into=into,
            max_frames=int(max_duration_s * SAMPLE_RATE),
        )
        return await self._run(task, Decoded)

    async def combine(self, mixes: Sequence[Mix], *, frames: int | None = None) -> Combined:
        """Write every mix as a 16-bit FLAC master, all scaled by one factor if any would clip.

        Shorter spools end in silence; the masters are as long as the longest spool, or `frames`.
        """
        task = CombineTask(mixes=tuple(mixes), frames=frames)
        return await self._run(task, Combined)

    async def fit(self, song: Path, stem: Path, *, max_lag_frames: int = 8192) -> Fitted:
        """Find by how much a stem's spool lags behind its song's, and its gain in it."""
        task = FitTask(song=song, stem=stem, max_lag_frames=max_lag_frames)
        return await self._run(task, Fitted)

    async def encode(
        self,
        stem: Path,
        into: Path,
        *,
        format: AudioFormat,  # noqa: A002 - the domain's word for it
        max_bytes: int | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Encoded:
        """Encode a FLAC master, at the best rate that fits `max_bytes`; tags: title, artist.

        Raises `DoesNotFit` if even the lowest rate, or a format without rates, is too big.
        """
        tags = tags or {}
        task = EncodeTask(
            stem=stem,
            into=into,
            format=format,
            max_bytes=max_bytes,
            title=tags.get("title"),
            artist=tags.get("artist"),
        )
        return await self._run(task, Encoded)

    async def picture(self, stems: Sequence[tuple[str, Path]], into: Path) -> Path:
        """Draw the masters' waveforms into a PNG, one row each, under its label."""
        rows = tuple(Row(label=label, stem=stem) for label, stem in stems)
        await self._run(PictureTask(rows=rows, into=into), Drawn)
        return into

    async def _run(self, task: Task, kind: type[_A]) -> _A:
        name = type(task).__name__
        async with self._turn:
            try:
                ended = await spawn.run(
                    self._child, line=wire.task_line(task), wall_s=task.budget.wall_s
                )
                return _outcome(task, kind, ended)
            except TimeoutError as exc:
                raise AudioFailed(f"{name} took over {task.budget.wall_s:.0f} s") from exc
            except OSError as exc:
                kind_of_failure = NoRoom if exc.errno in CANNOT_START else AudioFailed
                raise kind_of_failure(f"{name} could not be started: {exc}") from exc
            except wire.WireError as exc:
                raise AudioFailed(f"{name} answered nonsense: {exc}") from exc
            finally:
                # A child moves its outputs into place when they are whole; the rest is litter.
                for path in task.outputs:
                    part_of(path).unlink(missing_ok=True)


def _outcome(task: Task, kind: type[_A], ended: spawn.ChildExit) -> _A:
    if ended.errors:
        log.warning("%s: its child wrote: %s", type(task).__name__, ended.errors.strip())
    if isinstance(task, DecodeTask) and ended.status in _DIED_OF_THE_FILE:
        raise Rejected(Reason.BROKEN_FILE)
    if ended.status != 0:
        raise AudioFailed(f"{type(task).__name__} ended with status {ended.status}")
    return wire.read_answer(kind, ended.output)
