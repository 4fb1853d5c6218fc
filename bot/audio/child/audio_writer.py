"""Writes one audio file: an encoder in a container, fed frame by frame."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import av
from av.audio.frame import AudioFrame

from bot.audio.child import covers
from bot.audio.child.covers import Cover
from bot.audio.spool import SAMPLE_RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """An encoder and its container, by FFmpeg's names, with their options."""

    container: str
    codec: Literal["libmp3lame", "libopus", "flac", "pcm_s16le"]
    sample_rate: int = SAMPLE_RATE
    codec_options: Mapping[str, str] = field(default_factory=dict)
    container_options: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def writer(
    path: Path,
    encoding: Encoding,
    *,
    tags: Mapping[str, str],
    bit_rate: int | None = None,
    cover: Cover | None = None,
) -> Iterator[Callable[[AudioFrame], None]]:
    """Open a file and yield a function that writes a frame; the file is complete after the
    block.
    """
    with (
        path.open("wb") as file,
        av.open(
            file, "w", format=encoding.container, options=dict(encoding.container_options)
        ) as container,
    ):
        container.metadata.update(tags)
        stream = container.add_stream(
            encoding.codec,
            rate=encoding.sample_rate,
            options=dict(encoding.codec_options),
            layout="stereo",
        )
        if bit_rate is not None:
            stream.bit_rate = bit_rate
        if cover is not None:
            covers.attach(container, cover)

        def write(frame: AudioFrame | None) -> None:
            container.mux(stream.encode(frame))

        yield write
        write(None)
