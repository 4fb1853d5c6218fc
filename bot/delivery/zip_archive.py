"""Writes stems into ZIP archives, uncompressed because encoded sound hardly shrinks."""

import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

INFO = "info.txt"
ENTRY_BYTES = 1200
"""An upper bound for an entry without its content: two headers, each with the name."""
_READABLE = 0o644 << 16


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """A file and its name in an archive, in which `/` separates folders."""

    name: str
    path: Path


def archive_overhead(entries: int, info: str) -> int:
    """Return an upper bound for an archive's size without the content of its entries, in bytes."""
    return (entries + 2) * ENTRY_BYTES + len(info.encode())


def write_archive(into: Path, entries: Sequence[ZipEntry], *, info: str, at: datetime) -> int:
    """Write an archive with a text that describes it, and return its size in bytes.

    Equal content gives equal bytes, because all entries have the time `at`. Names that are not
    ASCII are marked as UTF-8. The function blocks, and streams the files.
    """
    with zipfile.ZipFile(into, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_entry(INFO, at), info)
        for each in entries:
            entry = _entry(each.name, at)
            entry.file_size = each.path.stat().st_size
            with each.path.open("rb") as source, archive.open(entry, "w") as target:
                shutil.copyfileobj(source, target)
    return into.stat().st_size


def _entry(name: str, at: datetime) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, at.timetuple()[:6])
    entry.external_attr = _READABLE
    return entry
