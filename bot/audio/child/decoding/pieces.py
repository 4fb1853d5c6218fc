"""Selects the byte ranges of an untrusted file that FFmpeg reads, and corrects the sizes in them.

Files that were joined end to end are read as separate pieces, since FFmpeg configures and trims for
the first one only. Tags between and after MPEG frames are left out, since they may contain bytes
that look like frames. Nothing is copied: a piece is a view of the file.
"""

import errno
import mmap
import os
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import BinaryIO

from bot.audio.child.decoding import formats, sizes

_OGG_PAGE = b"OggS\0"
_OGG_PAGE_HEADER_BYTES = 27
_FIRST_OF_A_STREAM = 2
_FRAME_START = re.compile(rb"\xff[\xe2-\xe7\xf2-\xff][\x10-\xef]")
_LAME_OFFSETS = (36, 21, 13)
"""Offsets of the LAME header, after side information of 32 (MPEG-1 stereo), 17 or 9 bytes."""
_MOST_PIECES = 500
_MOST_FALSE_STARTS = 1_000_000

Content = bytes | mmap.mmap
Stretch = tuple[int, int]
"""Start and end offsets in the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Byte ranges that are read as one file; `corrections` are (offset in the file, new bytes)."""

    stretches: tuple[Stretch, ...]
    corrections: tuple[tuple[int, bytes], ...] = ()


class Input:
    """A piece as a file object for PyAV. It has no name.

    FFmpeg seeks to impossible positions in damaged files and expects a negative result. An
    exception could not be told apart from a disk error.
    """

    def __init__(self, file: BinaryIO, piece: Piece) -> None:
        self._file = file
        self._piece = piece
        lengths = [end - start for start, end in piece.stretches]
        self._offsets = list(accumulate(lengths, initial=0))
        self._at = 0

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes, or fewer at the end of a range."""
        number = bisect_right(self._offsets, self._at) - 1
        if number >= len(self._piece.stretches):
            return b""
        start, end = self._piece.stretches[number]
        start += self._at - self._offsets[number]
        self._file.seek(start)
        content = self._file.read(min(size, end - start))
        self._at += len(content)
        return self._corrected(start, content)

    def tell(self) -> int:
        """Return the position within the piece."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position in the piece or after its end; return a negative number on error."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._offsets[-1]}.get(whence)
        if base is None or base + offset < 0:
            return -errno.EINVAL
        self._at = base + offset
        return self._at

    def _corrected(self, start: int, content: bytes) -> bytes:
        for offset, right in self._piece.corrections:
            if start - len(right) < offset < start + len(content):
                padded = bytearray(content)
                for at, byte in enumerate(right, offset - start):
                    if 0 <= at < len(content):
                        padded[at] = byte
                content = bytes(padded)
        return content


def whole(file: BinaryIO) -> Piece:
    """Return the whole file as one piece."""
    return Piece(stretches=((0, file.seek(0, os.SEEK_END)),))


def pieces_of(file: BinaryIO, demuxer: str) -> list[Piece]:
    """Divide a file into its separate containers; returns at least one piece."""
    match demuxer:
        case "ogg":
            with _mapped(file) as content:
                return _merged([Piece(stretches=(link,)) for link in _ogg_links(content)])
        case "mp3":
            with _mapped(file) as content:
                songs = _mpeg_songs(content, formats.after_id3(file))
                return _merged([Piece(stretches=tuple(song)) for song in songs]) or [whole(file)]
        case _:
            end = file.seek(0, os.SEEK_END)
            corrections = tuple(sizes.corrections(file, demuxer))
            return [Piece(stretches=((0, end),), corrections=corrections)]


def _mapped(file: BinaryIO) -> mmap.mmap:
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _merged(pieces: list[Piece]) -> list[Piece]:
    """Merge everything after the maximum number of pieces into the last one."""
    rest = [stretch for piece in pieces[_MOST_PIECES:] for stretch in piece.stretches]
    if not rest:
        return pieces
    last = pieces[_MOST_PIECES - 1]
    return [*pieces[: _MOST_PIECES - 1], Piece(stretches=(*last.stretches, *rest))]


def _ogg_links(content: Content) -> list[Stretch]:
    """Return the links of a chained Ogg file (RFC 3533, section 4).

    Each link starts with the first pages of its streams, which come before all other pages.
    """
    starts, is_within = [0], False
    for page in _ogg_pages(content):
        is_first = bool(content[page + 5] & _FIRST_OF_A_STREAM)
        if is_first and is_within:
            starts.append(page)
        is_within = not is_first
    return list(pairwise([*starts, len(content)]))


def _ogg_pages(content: Content) -> Iterator[int]:
    page = content.find(_OGG_PAGE)
    while 0 <= page <= len(content) - _OGG_PAGE_HEADER_BYTES:
        yield page
        segments = content[page + _OGG_PAGE_HEADER_BYTES - 1]
        table = page + _OGG_PAGE_HEADER_BYTES
        end = table + segments + sum(content[table : table + segments])
        page = content.find(_OGG_PAGE, end)


def _mpeg_songs(content: Content, start: int) -> list[list[Stretch]]:
    """Return the ranges of MPEG audio frames by song; each LAME header frame starts a song."""
    songs: list[list[Stretch]] = []
    for at, end in _mpeg_frames(content, start):
        if not songs or _is_lame_frame(content, at):
            songs.append([])
        song = songs[-1]
        if song and song[-1][1] == at:
            song[-1] = (song[-1][0], end)
        else:
            song.append((at, end))
    return songs


def _mpeg_frames(content: Content, start: int) -> Iterator[Stretch]:
    """Find every frame that is directly followed by others; the last one may be cut off."""
    false_starts = 0
    at = start
    while match := _FRAME_START.search(content, _after_tags(content, at)):
        at = match.start()
        if not formats.chains(content, at, formats.mpeg_frame_bytes):
            at += 1
            false_starts += 1
            if false_starts > _MOST_FALSE_STARTS:
                return
            continue
        while length := formats.mpeg_frame_bytes(content[at : at + formats.FRAME_HEADER_BYTES]):
            yield at, min(at + length, len(content))
            at += length


def _is_lame_frame(content: Content, at: int) -> bool:
    """Whether the frame holds LAME's header, which follows the side information, instead of
    sound.
    """
    return any(
        content[at + offset : at + offset + 4] in (b"Xing", b"Info") for offset in _LAME_OFFSETS
    )


def _after_tags(content: Content, at: int) -> int:
    """Return the offset after the tags that start here, whose pictures may contain frame-like
    bytes.
    """
    while True:
        head = content[at : at + 16]
        if head.startswith(b"ID3"):
            at += formats.id3_bytes(head)
        elif head.startswith(b"APETAGEX"):
            at += 32 + int.from_bytes(head[12:16], "little")
        else:
            return min(at, len(content))
