"""File names and types as Discord stores them.

Names are sanitized to letters, digits, `_`, `-` and `.`, and `title` keeps the original
(discord-api-docs issue 7754 and pull request 6945).
"""

import mimetypes
import re
import struct
from pathlib import Path, PurePosixPath

_TYPES = {
    ".aac": "audio/aac",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/x-wav",
    ".mkv": "video/x-matroska",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
}
_LONGEST_NAME = 200
_PNG_HEADER = struct.Struct(">8s4x4sII")


def cleansed(name: str) -> str:
    """Return a name as Discord stores it."""
    last = PurePosixPath(name.replace("\\", "/")).name
    plain = re.sub(r"[^A-Za-z0-9_.-]", "", "_".join(last.split())).strip("._")
    if not plain or plain == PurePosixPath(last).suffix.strip("."):
        plain = f"unknown{PurePosixPath(last).suffix}"
    return plain[-_LONGEST_NAME:]


def title_of(name: str) -> str | None:
    """Return the name's stem if sanitizing it loses something."""
    return None if cleansed(name) == name else PurePosixPath(name).stem


def content_type(name: str) -> str:
    """Return the content type for the name's extension. Discord ignores the declared one."""
    suffix = PurePosixPath(name).suffix.lower()
    known = _TYPES.get(suffix) or mimetypes.guess_type(name)[0]
    return known or "application/octet-stream"


def png_size(path: Path) -> tuple[int, int] | None:
    """Return a PNG's width and height, or None for other files."""
    with path.open("rb") as file:
        head = file.read(_PNG_HEADER.size)
    if len(head) < _PNG_HEADER.size:
        return None
    magic, chunk, width, height = _PNG_HEADER.unpack(head)
    is_png = magic == b"\x89PNG\r\n\x1a\n" and chunk == b"IHDR"
    return (width, height) if is_png else None
