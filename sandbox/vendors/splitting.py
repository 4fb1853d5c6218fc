"""Splits a song into one file per stem, in a separate thread."""

import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sandbox.vendors.audio_files import StemWriter, UnreadableSong, read_song
from sandbox.vendors.separate import RATE, Model, separated


class Abandoned(Exception):
    """The caller no longer wants the stems."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The stem files, by the model's stem names."""

    duration_s: float
    files: dict[str, Path]


def split(song: Path, model: Model, folder: Path, suffix: str, abandoned: threading.Event) -> Split:
    """Write a song's stems into a folder. Raises UnreadableSong or Abandoned."""
    files = {name: folder / f"{name}.{suffix}" for name in model.stems}
    length = 0
    with ExitStack() as stack:
        writers = {name: stack.enter_context(StemWriter(path)) for name, path in files.items()}
        for stems in separated(read_song(song), model):
            if abandoned.is_set():
                raise Abandoned
            for name, samples in stems.items():
                writers[name].write(samples)
            length += next(iter(stems.values())).shape[1]
    if length == 0:
        raise UnreadableSong("it is empty")
    return Split(duration_s=length / RATE, files=files)
