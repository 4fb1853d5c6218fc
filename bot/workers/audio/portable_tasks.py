"""Audio tasks as they travel between machines: the children's own messages, without any path.

A task's inputs are named `in-0`, `in-1` and so on, its results `out-0` and so on. These names are
the ends of its objects' keys, and each machine has its own files for them. Any other message
is malformed.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeGuard, TypeVar

from bot.audio.all_tasks import Answer, Task
from bot.audio.rendition_tasks import RenderTask
from bot.audio.tasks import DecodeTask, EncodeTask, Refusal
from bot.domain.recipes import AudioFormat
from bot.processes import ipc

PortableTask = DecodeTask | EncodeTask | RenderTask
"""The tasks that can be worth sending to another machine."""
COSTLY: Final = frozenset({AudioFormat.MP3, AudioFormat.OPUS})
"""The other formats take little more time than a copy."""
WORTH_BYTES: Final = 1024 * 1024
"""Tasks with fewer bytes of input are never sent."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildFailed:
    """The answer of a worker whose child failed because of the task, not of the machine."""

    detail: str


PortableAnswer = Answer | Refusal | ChildFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A task, and the files on this machine that its names stand for."""

    task: PortableTask
    inputs: Mapping[str, Path]
    results: Mapping[str, Path]

    @property
    def message(self) -> str:
        """The task with names in place of paths."""
        names = _reversed({**self.inputs, **self.results})
        return ipc.encode(_with_paths(self.task, names)).decode()

    def encode_answer(self, answer: PortableAnswer) -> str:
        """Return an answer with names in place of paths. Raises MalformedMessage."""
        return ipc.encode(_with_paths(answer, _reversed(self.results))).decode()

    def decode_answer(self, message: str) -> PortableAnswer:
        """Return an answer with the paths on this machine. Raises MalformedMessage."""
        answer: PortableAnswer = ipc.decode(message.encode(), PortableAnswer)
        return _with_paths(answer, {Path(name): path for name, path in self.results.items()})


def is_worth_sending(task: Task, *, is_busy: bool) -> TypeGuard[PortableTask]:
    """Return whether to send a task; with `is_busy`, it would have to wait on this machine.

    A decoded song is ten times as large as its file, and takes less than a second of CPU time.
    """
    match task:
        case DecodeTask():
            is_costly = is_busy
        case EncodeTask():
            is_costly = task.format in COSTLY
        case _:
            is_costly = isinstance(task, RenderTask)
    return is_costly and _bytes_of(task.inputs) >= WORTH_BYTES


def packed(task: PortableTask) -> Parcel:
    """Return this machine's task, with names for its files."""
    return Parcel(
        task=task,
        inputs=_named("in", set(task.inputs)),
        results=_named("out", set(_results_of(task))),
    )


def unpacked(message: str, folder: Path) -> Parcel:
    """Return another machine's task, with files in `folder`. Raises MalformedMessage."""
    task: PortableTask = ipc.decode(message.encode(), PortableTask)
    here = {str(path): folder / "in" / path for path in task.inputs}
    made = {str(path): folder / "out" / path for path in _results_of(task)}
    if here.keys() != set(_names("in", len(here))) or made.keys() != set(_names("out", len(made))):
        raise ipc.MalformedMessage("the task names other files than its own")
    paths = {Path(name): path for name, path in {**here, **made}.items()}
    return Parcel(task=_with_paths(task, paths), inputs=here, results=made)


def _results_of(task: PortableTask) -> tuple[Path, ...]:
    """Return the files that a task leaves; a rendition's spools are gone at its end."""
    match task:
        case RenderTask(files=files):
            return tuple(file.path for file in files)
        case _:
            return task.outputs


def _bytes_of(paths: Iterable[Path]) -> int:
    # The child will report a missing file.
    return sum(path.stat().st_size for path in paths if path.exists())


def _named(kind: str, paths: Collection[Path]) -> dict[str, Path]:
    return dict(zip(_names(kind, len(paths)), sorted(paths), strict=True))


def _names(kind: str, count: int) -> list[str]:
    return [f"{kind}-{number}" for number in range(count)]


def _reversed(files: Mapping[str, Path]) -> dict[Path, Path]:
    return {path: Path(name) for name, path in files.items()}


def _with_paths(value: _T, others: Mapping[Path, Path]) -> _T:
    """Return a message with paths replaced. Raises MalformedMessage for a path not in `others`."""
    changed: Any = value
    if isinstance(value, Path):
        if value not in others:
            raise ipc.MalformedMessage("a path is that of no file of the task")
        changed = others[value]
    elif isinstance(value, tuple):
        changed = tuple(_with_paths(each, others) for each in value)
    elif is_dataclass(value) and not isinstance(value, type):
        named = {each.name: getattr(value, each.name) for each in fields(value)}
        changed = replace(
            value, **{name: _with_paths(each, others) for name, each in named.items()}
        )
    found: _T = changed
    return found
