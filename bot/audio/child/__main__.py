"""The audio child: one task on standard input, one answer on standard output, then the end.

A refusal is an answer, and so is a full disk. Anything unforeseen is a traceback on standard error
and exit status 1, which the bot tells from the file's own faults.
"""

import sys
from typing import assert_never

from bot.audio import wire
from bot.audio.tasks import (
    Answer,
    CombineTask,
    DecodeTask,
    DoesNotFit,
    EncodeTask,
    FitTask,
    PictureTask,
    Task,
)
from bot.domain.errors import DISK_FULL, Rejected
from bot.processes import limits


def main() -> None:
    """Do the one task that standard input holds."""
    limits.die_with_parent()
    task = wire.read_task(sys.stdin.buffer.readline())
    task.budget.apply()
    try:
        line = wire.answer_line(_perform(task))
    except (Rejected, DoesNotFit) as refusal:
        line = wire.refusal_line(refusal)
    except OSError as exc:
        if exc.errno not in DISK_FULL:
            raise
        line = wire.no_room_line(exc)
    sys.stdout.buffer.write(line)


def _perform(task: Task) -> Answer:
    # Each library is loaded under the limits, and only by the child that needs it.
    match task:
        case DecodeTask():
            from bot.audio.child.decoding.decode import decode

            return decode(task)
        case CombineTask():
            from bot.audio.child.combine import combine

            return combine(task)
        case FitTask():
            from bot.audio.child.fit import fit

            return fit(task)
        case EncodeTask():
            from bot.audio.child.encode import encode

            return encode(task)
        case PictureTask():
            from bot.audio.child.picture import picture

            return picture(task)
        case _:
            assert_never(task)


if __name__ == "__main__":
    main()
