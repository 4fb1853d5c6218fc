"""Detects the format and the length of a soundboard's file."""

import io
from dataclasses import dataclass

import av

_TYPES = {"mp3": "audio/mpeg", "ogg": "audio/ogg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFile:
    """An MP3 or Ogg file that can be decoded."""

    content_type: str
    duration_s: float


def read_sound(content: bytes) -> SoundFile | None:
    """Decode a file; return None unless it is an MP3 or Ogg file with audio."""
    try:
        with av.open(io.BytesIO(content), mode="r") as container:
            content_type = _TYPES.get(container.format.name)
            if content_type is None or not container.streams.audio:
                return None
            seconds = sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
    except av.FFmpegError:
        return None
    return SoundFile(content_type=content_type, duration_s=seconds) if seconds else None
