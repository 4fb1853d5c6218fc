"""Checks that the answer to an audio task is about that task and the files on the disk.

A child that has read an untrusted file is not trusted, and neither is another machine.
"""

import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from bot.audio.all_tasks import Answer, Task
from bot.audio.analysis_task import AnalyseMixesTask, AnalyseTask, is_plausible
from bot.audio.clip_task import MOST_CLIP_BYTES, Clipped, ClipTask
from bot.audio.pack_tasks import Peaks, PeaksTask
from bot.audio.rendition_tasks import Rendered, RenderTask, frames_of
from bot.audio.spool import FRAME_BYTES, SAMPLE_RATE
from bot.audio.tasks import (
    MOST_COVER_BYTES,
    Decoded,
    DecodeTask,
    DiskFull,
    DoesNotFit,
    Encoded,
    EncodeTask,
    FileRejected,
    Measured,
    MeasureTask,
    Refusal,
    TooLarge,
)
from bot.domain.analysis import Analysis
from bot.domain.errors import AudioFailed, NoRoom, Rejected

_A = TypeVar("_A", bound=Answer)


def accepted(task: Task, kind: type[_A], answer: Answer | Refusal) -> _A:
    """Return the answer to a task if it is credible; raises the error that a refusal stands for.

    Raises AudioFailed for an answer that contradicts the task or the files, and removes the files
    that are wrong.
    """
    match answer:
        case FileRejected(reason=reason):
            raise Rejected(reason)
        case TooLarge(needed_bytes=needed, max_bytes=most):
            raise DoesNotFit(needed_bytes=needed, max_bytes=most)
        case DiskFull(detail=detail):
            raise NoRoom(detail)
        case _ if isinstance(answer, kind):
            _require_truth(task, answer)
            return answer
        case _:
            raise AudioFailed(f"{type(answer).__name__} answers no {type(task).__name__}")


def _require_truth(task: Task, answer: Answer) -> None:
    match task, answer:
        case DecodeTask(), Decoded():
            _require_song(task, answer)
        case EncodeTask(), Encoded():
            told = (answer.path, answer.format, answer.size_bytes)
            if told != (task.into, task.format, _size_of(task.into)):
                raise AudioFailed("the child did not write the requested file")
        case RenderTask(), Rendered():
            _require_rendition(task, answer)
        case ClipTask(), Clipped():
            _require_clip(task, answer)
        case AnalyseTask(), Analysis():
            _require_possible(answer, frames=max(frames_of(part.master) for part in task.parts))
        case AnalyseMixesTask(), Analysis():
            _require_possible(answer, frames=task.frames)
        case PeaksTask(), Peaks():
            _require_one_each(answer.stems, task.stems)
        case MeasureTask(), Measured():
            _require_one_each(answer.levels, task.sums)
        case _:
            pass  # nothing to compare it with


def _require_song(task: DecodeTask, decoded: Decoded) -> None:
    """Require a spool of the reported length: the child's claim is not enough for billing."""
    if not 0 < decoded.frames == _frames_in(task.into) <= task.max_frames:
        discard([task.into])
        raise AudioFailed(f"the child reports {decoded.frames} frames that do not exist")
    if task.cover is not None and not 0 < _size_of(task.cover) <= MOST_COVER_BYTES:
        discard([task.cover])


def _require_rendition(task: RenderTask, rendered: Rendered) -> None:
    is_whole = all(_size_of(file.path) for file in task.files)
    if rendered.frames != task.rendered_frames or not is_whole:
        raise AudioFailed("the child did not render what was requested")
    _require_one_each(rendered.levels, task.files)


def _require_possible(analysis: Analysis, *, frames: int) -> None:
    if not is_plausible(analysis, seconds=frames / SAMPLE_RATE):
        raise AudioFailed("the child reported an analysis that no song can have")


def _require_one_each(found: Sequence[object], asked: Sequence[object]) -> None:
    if len(found) != len(asked):
        raise AudioFailed("the child did not measure what was requested")


def _require_clip(task: ClipTask, clipped: Clipped) -> None:
    size_bytes = _size_of(task.into)
    if (clipped.frames, clipped.size_bytes) != (task.frames, size_bytes) or not (
        0 < size_bytes <= MOST_CLIP_BYTES
    ):
        discard([task.into])
        raise AudioFailed("the child did not write the requested clip")


def discard(paths: Iterable[Path]) -> None:
    """Remove files, if they exist."""
    for path in paths:
        path.unlink(missing_ok=True)


def _frames_in(spool: Path) -> float:
    """Return a spool's length in frames; not a whole number if the last frame is incomplete."""
    return _size_of(spool) / FRAME_BYTES


def _size_of(path: Path) -> int:
    """Return the size of a regular file, or 0 if there is none or it is a link."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0
