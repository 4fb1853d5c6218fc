"""Small files that decode to large ones: minutes of silence in a few kilobytes."""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream

_RATES = {"flac": 8_000, "opus": 48_000}
_ENCODERS = {"flac": "flac", "opus": "libopus"}
_FRAMES = 4096


def write_silence(path: Path, *, seconds: float) -> Path:
    """Write silence as FLAC or Ogg Opus, depending on the file's suffix."""
    kind = path.suffix.removeprefix(".")
    rate = _RATES[kind]
    with av.open(str(path), "w", format=kind) as out:
        stream = out.add_stream(_ENCODERS[kind], rate=rate, layout="mono")
        assert isinstance(stream, AudioStream)
        for start in range(0, int(seconds * rate), _FRAMES):
            samples = np.zeros((1, _FRAMES), np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def titled(song: Path, title: str) -> bytes:
    """Return the song with the given title, so that all files differ."""
    made = io.BytesIO()
    kind = song.suffix.removeprefix(".")
    with av.open(str(song)) as source, av.open(made, "w", format=kind) as out:
        out.metadata["title"] = title
        stream = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    return made.getvalue()
