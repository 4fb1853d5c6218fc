"""The audio fork server: loads every library once, then forks a child for each task.

A child runs one task and prints one answer, which may report a refusal or a full disk. An
unexpected error gives a traceback on standard error and exit status 1, which the bot does not blame
on the file.
"""

from contextlib import suppress
from typing import assert_never

from bot.audio.all_tasks import Answer, Task
from bot.audio.analysis_task import AnalyseMixesTask, AnalyseTask
from bot.audio.clip_task import ClipTask
from bot.audio.pack_tasks import PackTask, PeaksTask
from bot.audio.rendition_tasks import RenderTask
from bot.audio.tasks import (
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
    TooLarge,
)
from bot.domain.errors import DISK_FULL, Rejected
from bot.processes import fork_server, ipc, limits
from bot.processes.confinement import Reach, confine, confine_parent
from bot.processes.kernel import die_with_parent


def main() -> None:
    """Fork children for the bot that started this process, until the bot closes its end of the
    pipe.
    """
    die_with_parent()
    limits.come_last()
    confine_parent()
    _load()
    fork_server.serve(_perform_confined)


def _load() -> None:
    """Import, initialise and compile what every child would otherwise load itself.

    Children cannot write compiled modules.
    """
    import concurrent.futures.thread  # noqa: F401

    import av.subtitles.stream  # noqa: F401
    import numpy.fft
    import numpy.ma  # noqa: F401
    from PIL import Image

    from bot.audio.child import alignment, clip, combine, encode, passage, picture  # noqa: F401
    from bot.audio.child.analysis import analyse  # noqa: F401
    from bot.audio.child.decoding import decode  # noqa: F401
    from bot.audio.child.packing import packs  # noqa: F401
    from bot.audio.child.rendering import render, stretchers  # noqa: F401

    with suppress(Rejected):  # a child that needs the library reports that it is missing
        stretchers.require_library()

    Image.preinit()  # the first picture would otherwise load the formats


def _perform_confined(line: str) -> bytes:
    task: Task = ipc.decode(line.encode(), Task)
    task.budget.apply()
    confine(Reach(readable=task.inputs, writable=tuple({path.parent for path in task.outputs})))
    return answer(task)


def answer(task: Task) -> bytes:
    """Run a task and return the line with its result; raises unexpected errors."""
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


def _perform(task: Task) -> Answer:
    # Imported here because modules that only describe tasks must not need these libraries.
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
        case AnalyseMixesTask():
            from bot.audio.child.analysis.analyse import analyse_mixes

            return analyse_mixes(task)
        case PackTask() | PeaksTask() | AnalyseTask() | RenderTask() | ClipTask():
            return _perform_on_masters(task)
        case _:
            assert_never(task)


def _perform_on_masters(
    task: PackTask | PeaksTask | AnalyseTask | RenderTask | ClipTask,
) -> Answer:
    match task:
        case PackTask():
            from bot.audio.child.packing.packs import pack

            return pack(task)
        case PeaksTask():
            from bot.audio.child.packing.packs import measure_peaks

            return measure_peaks(task)
        case AnalyseTask():
            from bot.audio.child.analysis.analyse import analyse

            return analyse(task)
        case RenderTask():
            from bot.audio.child.rendering.render import render

            return render(task)
        case ClipTask():
            from bot.audio.child.clip import clip

            return clip(task)
        case _:
            assert_never(task)


if __name__ == "__main__":
    main()
