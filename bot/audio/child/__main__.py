"""The audio children: one process that has every library loaded, forked for each task.

A child gets one task and prints one answer. A refusal is an answer, and so is a full disk. An
unexpected error is a traceback on standard error and exit status 1, which the bot does not blame on
the file.
"""

from typing import assert_never

from bot.audio.pack_tasks import PackingAnswer, PackingTask, PackTask, PeaksTask
from bot.audio.tasks import (
    Answer,
    CombineTask,
    DecodeTask,
    DiskFull,
    DoesNotFit,
    EncodeTask,
    FileRejected,
    FitTask,
    MeasureTask,
    PassageTask,
    PictureTask,
    Task,
    TooLarge,
)
from bot.domain.errors import DISK_FULL, Rejected
from bot.processes import fork_server, ipc, limits
from bot.processes.confinement import Reach, confine, confine_parent
from bot.processes.kernel import die_with_parent


def main() -> None:
    """Fork children for the bot that started this process, until the bot closes its end."""
    die_with_parent()
    limits.come_last()
    confine_parent()
    _load()
    fork_server.serve(_perform_confined)


def _load() -> None:
    """Load now what every child would load."""
    import av.subtitles.stream  # noqa: F401
    from PIL import Image

    from bot.audio.child import (
        picture,  # noqa: F401
    )
    from bot.audio.child.packing import packs  # noqa: F401

    Image.preinit()  # otherwise the first picture would load the formats


def _perform_confined(line: str) -> bytes:
    task: Task | PackingTask = ipc.decode(line.encode(), Task | PackingTask)
    task.budget.apply()
    confine(Reach(readable=task.inputs, writable=tuple({path.parent for path in task.outputs})))
    return answer(task)


def answer(task: Task | PackingTask) -> bytes:
    """Do a task and return the line with its result; raises unexpected errors."""
    try:
        return ipc.encode(_perform(task))
    except Rejected as refusal:
        return ipc.encode(FileRejected(reason=refusal.problem.reason))
    except DoesNotFit as refusal:
        return ipc.encode(TooLarge(needed_bytes=refusal.needed_bytes, max_bytes=refusal.max_bytes))
    except OSError as exc:
        if exc.errno not in DISK_FULL:
            raise
        return ipc.encode(DiskFull(detail=str(exc)))


def _perform(task: Task | PackingTask) -> Answer | PackingAnswer:
    # Not above: modules that only describe tasks need no library.
    match task:
        case DecodeTask():
            from bot.audio.child.decoding.decode import decode

            return decode(task)
        case CombineTask():
            from bot.audio.child.combine import combine

            return combine(task)
        case MeasureTask():
            from bot.audio.child.combine import measure

            return measure(task)
        case PassageTask():
            from bot.audio.child.passage import find_passage

            return find_passage(task)
        case FitTask():
            from bot.audio.child.alignment import fit

            return fit(task)
        case EncodeTask():
            from bot.audio.child.encode import encode

            return encode(task)
        case PictureTask():
            from bot.audio.child.picture import picture

            return picture(task)
        case PackTask():
            from bot.audio.child.packing.packs import pack

            return pack(task)
        case PeaksTask():
            from bot.audio.child.packing.packs import measure_peaks

            return measure_peaks(task)
        case _:
            assert_never(task)


if __name__ == "__main__":
    main()
