"""A muxer for short Ogg Opus files (RFC 3533, RFC 7845) whose length is exact.

FFmpeg's muxer does not accept a given pre-skip, which hides the run-up before a chunk.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence

FRAME = 960
"""Samples in a packet: 20 ms at 48 kHz."""

_SERIAL = 1
_BEGIN, _END = 2, 4
_MOST_SEGMENTS = 255
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def ogg_opus(packets: Sequence[bytes], *, pre_skip: int, frames: int) -> bytes:
    """Return a stereo file of the `frames` samples after the first `pre_skip` decoded ones."""
    head = struct.pack("<8sBBHIhB", b"OpusHead", 1, 2, pre_skip, 48_000, 0, 0)
    vendor = b"stemcord"
    tags = struct.pack("<8sI", b"OpusTags", len(vendor)) + vendor + struct.pack("<I", 0)
    pages = [_page([head], number=0, granule=0, flags=_BEGIN)]
    pages.append(_page([tags], number=1, granule=0, flags=0))
    groups = list(_page_loads(packets))
    done = 0
    for number, group in enumerate(groups, start=2):
        done += len(group) * FRAME
        is_last = number == len(groups) + 1
        # Decoders drop everything after the last page's position.
        granule = pre_skip + frames if is_last else done
        pages.append(_page(group, number=number, granule=granule, flags=_END if is_last else 0))
    return b"".join(pages)


def _page_loads(packets: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Group packets so that no packet is split between two pages."""
    group: list[bytes] = []
    segments = 0
    for packet in packets:
        needed = len(packet) // 255 + 1
        if segments + needed > _MOST_SEGMENTS:
            yield group
            group, segments = [], 0
        group.append(packet)
        segments += needed
    yield group


def _page(packets: Sequence[bytes], *, number: int, granule: int, flags: int) -> bytes:
    lacing = b"".join(_laces(len(packet)) for packet in packets)
    start = struct.pack("<4sBBqII", b"OggS", 0, flags, granule, _SERIAL, number)
    rest = bytes([len(lacing)]) + lacing + b"".join(packets)
    checksum = crc(start + bytes(4) + rest)
    return start + struct.pack("<I", checksum) + rest


def _laces(length: int) -> bytes:
    return b"\xff" * (length // 255) + bytes([length % 255])


def crc(page: bytes) -> int:
    """Return Ogg's checksum: zlib's polynomial with every bit order reversed, starting from 0."""
    reflected = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{reflected:032b}"[::-1], 2)
