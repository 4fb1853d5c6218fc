"""Detects truncated files, in containers that state the length of each piece.

A file cut exactly between two pieces looks the same as a recorded live stream, so it is not
detected.
"""

import os
from typing import BinaryIO

from bot.audio.child.decoding import sizes

_OGG_PAGE = b"OggS\0"
_OGG_PAGE_HEADER_BYTES = 27
_LONGEST_OGG_PAGE_BYTES = _OGG_PAGE_HEADER_BYTES + 255 + 255 * 255
_SEGMENT = 0x18538067
_ELEMENTS_BEFORE_SEGMENT = 8


def is_cut(file: BinaryIO, demuxer: str) -> bool:
    """Whether the file's last piece is incomplete; False for containers that do not show it."""
    match demuxer:
        case "ogg":
            return _is_cut_ogg(file)
        case "matroska,webm":
            return _is_cut_matroska(file)
        case "wav" | "w64" | "aiff":
            return sizes.is_cut(file, demuxer)
        case _:
            return False


def _is_cut_ogg(file: BinaryIO) -> bool:
    """Check the last page (RFC 3533, section 6), whose table gives the length of each segment."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _LONGEST_OGG_PAGE_BYTES))
    tail = file.read()
    start = tail.rfind(_OGG_PAGE)
    if start < 0:
        return False  # something else follows the last page
    page = tail[start:]
    if len(page) < _OGG_PAGE_HEADER_BYTES:
        return True
    segments = page[_OGG_PAGE_HEADER_BYTES - 1]
    table = page[_OGG_PAGE_HEADER_BYTES : _OGG_PAGE_HEADER_BYTES + segments]
    return len(page) < _OGG_PAGE_HEADER_BYTES + segments + sum(table)


def _is_cut_matroska(file: BinaryIO) -> bool:
    """Check the segment's length (RFC 8794, section 6); a live stream does not give one."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    for _ in range(_ELEMENTS_BEFORE_SEGMENT):
        name, length = _number(file, with_marker=True), _number(file)
        if name is None or length is None:
            return False
        if name == _SEGMENT:
            return file.tell() + length > size
        file.seek(length, os.SEEK_CUR)
    return False


def _number(file: BinaryIO, *, with_marker: bool = False) -> int | None:
    """Read a variable-length number; None if it is malformed or means "unknown"."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    width = 9 - first[0].bit_length()
    content = first + file.read(width - 1)
    mask = (1 << 7 * width) - 1
    number = int.from_bytes(content)
    if len(content) < width or (number & mask == mask and not with_marker):
        return None
    return number if with_marker else number & mask
