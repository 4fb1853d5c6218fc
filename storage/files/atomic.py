"""Atomic, durable file writes."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def fsync(path: Path) -> None:
    """Sync a file, or a folder's entries, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def move_into_place(source: Path, target: Path, *, durable: bool = True) -> None:
    """Rename a finished file to `target` on the same disk, replacing any existing file.

    With `durable`, the file and its new name are synced to disk before this returns.
    """
    if durable:
        fsync(source)
    source.replace(target)
    if durable:
        fsync(target.parent)


@contextmanager
def write_aside(target: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield an empty file beside `target`, readable by this user only.

    The file is renamed to `target` if the block succeeds, and removed if it raises.
    """
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f"{target.name[:64]}.")
    os.close(descriptor)
    draft = Path(name)
    try:
        yield draft
        move_into_place(draft, target, durable=durable)
    finally:
        draft.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Replace the file's content. After a crash the file has either the old text or the new one."""
    with write_aside(target) as draft:
        draft.write_text(text, encoding="utf-8")
