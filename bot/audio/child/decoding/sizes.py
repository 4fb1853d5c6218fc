"""Corrects wrong or missing sizes in headers, which FFmpeg would trust.

Recorders that are switched off, browsers, and programs that write to a pipe leave sizes unset or
wrong, because they do not know the length when they write the header.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

Correction = tuple[int, bytes]
"""An offset in the file, and the correct bytes."""

_MOST_CHUNKS = 1000
_UNKNOWN_FROM = 0x7FFF_0000
"""A size of at least this that exceeds the file means "unknown"."""
_ID3V1_BYTES = 128
_BLOCK_BYTES = 64 * 1024
_SLACK_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """The chunk names and size encoding of a family of formats."""

    start: int
    name_bytes: int
    size_bytes: int
    order: Literal["little", "big"]
    align: int
    counts_header: bool
    sound: bytes

    @property
    def header_bytes(self) -> int:
        return self.name_bytes + self.size_bytes


@dataclass(frozen=True, slots=True)
class _Chunk:
    at: int
    name: bytes
    size: int
    """The size of the content, without the header."""


_WAVE = _Layout(
    start=12, name_bytes=4, size_bytes=4, order="little", align=2, counts_header=False,
    sound=b"data",
)  # fmt: skip
_AIFF = _Layout(
    start=12, name_bytes=4, size_bytes=4, order="big", align=2, counts_header=False, sound=b"SSND"
)
_WAVE64 = _Layout(
    start=40, name_bytes=16, size_bytes=8, order="little", align=8, counts_header=True,
    sound=b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a",
)  # fmt: skip
_LAYOUTS = {"wav": _WAVE, "aiff": _AIFF, "w64": _WAVE64}


def corrections(file: BinaryIO, demuxer: str) -> Iterator[Correction]:
    """Yield corrections for a wrong size of the sound chunk.

    A size that exceeds a truncated file is left as it is.
    """
    layout = _LAYOUTS.get(demuxer)
    if layout is None:
        return
    end = file.seek(0, os.SEEK_END)
    sound, long_sizes = _sound(file, layout, end)
    if sound is not None:
        yield from _corrected(file, layout, sound, end, long_sizes)


def is_cut(file: BinaryIO, demuxer: str) -> bool:
    """Whether the sound ends well before its stated size, unless that size means "unknown"."""
    layout = _LAYOUTS[demuxer]
    end = file.seek(0, os.SEEK_END)
    sound, long_sizes = _sound(file, layout, end)
    if sound is None or long_sizes is not None or sound.size >= _UNKNOWN_FROM:
        return False
    missing = sound.at + layout.header_bytes + sound.size - end
    return missing > max(_SLACK_BYTES, sound.size // 100)


def _sound(file: BinaryIO, layout: _Layout, end: int) -> tuple[_Chunk | None, _Chunk | None]:
    """Return the sound chunk, and the chunk of 64-bit sizes if there is one."""
    long_sizes: _Chunk | None = None
    for chunk in _chunks(file, layout, end):
        if chunk.name == b"ds64":
            long_sizes = chunk
        if chunk.name == layout.sound:
            return chunk, long_sizes
    return None, long_sizes


def _corrected(
    file: BinaryIO, layout: _Layout, sound: _Chunk, end: int, long_sizes: _Chunk | None
) -> Iterator[Correction]:
    """Correct a wrong size; RF64 files keep it in a separate chunk (EBU Tech 3306)."""
    there = end - sound.at - layout.header_bytes
    if long_sizes is not None:
        field = long_sizes.at + 8 + 8
        told = _number(file, field, 8, layout.order)
        if _is_wrong(file, layout, sound, told, end):
            # The sample count is set to 0: it is not needed, and FFmpeg refuses a negative one.
            yield field, there.to_bytes(8, layout.order) + bytes(8)
        return
    if _is_wrong(file, layout, sound, sound.size, end):
        told = there + layout.header_bytes if layout.counts_header else there
        size = told.to_bytes(layout.size_bytes, layout.order)
        yield sound.at + layout.name_bytes, size


def _is_wrong(file: BinaryIO, layout: _Layout, sound: _Chunk, size: int, end: int) -> bool:
    start = sound.at + layout.header_bytes
    if start + size > end:
        return size >= _UNKNOWN_FROM
    return not _ends_at(file, layout, start + size, end)


def _ends_at(file: BinaryIO, layout: _Layout, at: int, end: int) -> bool:
    """Whether the sound may end here: at the end of the file, or before padding, a tag or a whole
    chunk.
    """
    file.seek(at)
    is_tag = end - at == _ID3V1_BYTES and file.read(3) == b"TAG"
    if is_tag or _is_blank(file, at, end):
        return True
    start = at + -at % layout.align
    return any(
        _is_name(chunk.name) and chunk.at + layout.header_bytes + chunk.size <= end + 1
        for chunk in _chunks(file, layout, end, start=start, most=1)
    )


def _is_blank(file: BinaryIO, at: int, end: int) -> bool:
    file.seek(at)
    return not any(any(file.read(_BLOCK_BYTES)) for _ in range(at, end, _BLOCK_BYTES))


def _is_name(name: bytes) -> bool:
    return all(0x20 <= byte < 0x7F for byte in name[:4])


def _chunks(
    file: BinaryIO, layout: _Layout, end: int, *, start: int | None = None, most: int = _MOST_CHUNKS
) -> Iterator[_Chunk]:
    at = layout.start if start is None else start
    for _ in range(most):
        if at + layout.header_bytes > end:
            return
        file.seek(at)
        name = file.read(layout.name_bytes)
        size = int.from_bytes(file.read(layout.size_bytes), layout.order)
        if layout.counts_header:
            size = max(0, size - layout.header_bytes) if size != 0 else 0
        yield _Chunk(at, name, size)
        at += layout.header_bytes + size
        at += -at % layout.align


def _number(file: BinaryIO, at: int, width: int, order: Literal["little", "big"]) -> int:
    file.seek(at)
    return int.from_bytes(file.read(width), order)
