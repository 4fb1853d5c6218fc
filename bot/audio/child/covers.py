"""Finds cover pictures in untrusted tags, re-encodes them as small JPEGs and attaches them.

Re-encoding bounds the size of a picture and removes metadata about its photographer.
"""

import base64
import io
import struct
import warnings
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Final

import av
from av.container import InputContainer, OutputContainer
from av.stream import Disposition
from PIL import Image

from bot.audio.tasks import MOST_COVER_BYTES, part_of

_SIDE: Final = 500
"""The longest side, in pixels."""
_QUALITY: Final = 85
_MOST_PIXELS: Final = 4_000 * 4_000
"""The most pixels of a picture that is read; at three bytes each they fit into a child's memory."""
_PACKETS_LOOKED_AT: Final = 50
"""The number of packets searched for a picture; FFmpeg returns tags' pictures before any sound."""
_FRONT_COVER: Final = 3
_MIME: Final = b"image/jpeg"
_UNREADABLE: Final = (
    Image.DecompressionBombError,
    OSError,
    SyntaxError,
    ValueError,
    MemoryError,
    EOFError,
    struct.error,
)
"""Pillow's errors for unreadable pictures, which do not stop the song."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """A JPEG and its size in pixels."""

    content: bytes
    width: int
    height: int


def find(container: InputContainer) -> bytes | None:
    """Return the first picture in the container's tags, unchanged."""
    pictures = {
        each.index
        for each in container.streams.video
        if each.disposition & Disposition.attached_pic
    }
    if not pictures:
        return None
    for packet in islice(container.demux(), _PACKETS_LOOKED_AT):
        if packet.stream_index in pictures and packet.size:
            return bytes(packet)
    return None


def write_small(picture: bytes, into: Path) -> None:
    """Write the picture as a small JPEG; write nothing if it cannot be read or is too large."""
    small = _small(picture)
    if small is not None and len(small) <= MOST_COVER_BYTES:
        part_of(into).write_bytes(small)
        part_of(into).replace(into)


def read(path: Path | None) -> Cover | None:
    """Read a cover that `write_small` wrote; None if the file is missing or invalid."""
    if path is None or not path.exists():
        return None
    content = path.read_bytes()
    try:
        with _opened(content, "JPEG") as image:
            return Cover(content=content, width=image.width, height=image.height)
    except _UNREADABLE:
        return None


def _small(picture: bytes) -> bytes | None:
    small = io.BytesIO()
    try:
        with _opened(picture, "JPEG", "PNG") as image:
            if image.width * image.height > _MOST_PIXELS:
                return None
            image.draft("RGB", (_SIDE, _SIDE))  # lets a JPEG decoder skip what is not needed
            image.thumbnail((_SIDE, _SIDE))
            image.convert("RGB").save(small, "JPEG", quality=_QUALITY)
    except _UNREADABLE:
        return None
    return small.getvalue()


def _opened(picture: bytes, *formats: str) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(picture), formats=formats)


def attach(container: OutputContainer, cover: Cover) -> None:
    """Write the cover into the tags of an MP3, FLAC or Opus file, before any sound."""
    if container.format.name == "opus":  # its tags hold only text
        block = base64.b64encode(_flac_picture(cover)).decode()
        container.metadata["METADATA_BLOCK_PICTURE"] = block
        return
    stream = container.add_stream("mjpeg")
    stream.width, stream.height, stream.pix_fmt = cover.width, cover.height, "yuvj420p"
    stream.time_base = Fraction(1, 1)
    stream.disposition = Disposition.attached_pic
    packet = av.Packet(cover.content)
    packet.stream = stream
    packet.pts = packet.dts = 0
    container.mux(packet)


def _flac_picture(cover: Cover) -> bytes:
    """Return the picture as RFC 9639, section 8.8 lays it out: type, MIME type, description,
    size, depth, colours, content.
    """
    return b"".join(
        (
            struct.pack(">II", _FRONT_COVER, len(_MIME)),
            _MIME,
            struct.pack(">IIIIII", 0, cover.width, cover.height, 24, 0, len(cover.content)),
            cover.content,
        )
    )
