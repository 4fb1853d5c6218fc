"""Files for tests to send: songs, and files that are not songs."""

import struct
import wave
import zlib
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from numpy.typing import NDArray

Sound = NDArray[np.float64]


def read(path: Path) -> tuple[int, Sound]:
    """Decode a file, and return its rate and a (channels, samples) array."""
    with av.open(str(path)) as file:
        stream = file.streams.audio[0]
        plain = av.AudioResampler(format="fltp")
        blocks = [
            block.to_ndarray()
            for frame in (*file.decode(stream), None)
            for block in plain.resample(frame)
        ]
        return stream.rate, np.concatenate(blocks, axis=1).astype(np.float64)


def write_mp3(path: Path, wav: Path, *, title: str = "") -> Path:
    """Encode a 16-bit stereo WAV file as MP3, with a title tag."""
    with av.open(str(wav)) as source, av.open(str(path), "w", format="mp3") as file:
        file.metadata.update({"title": title} if title else {})
        stream: AudioStream = file.add_stream("libmp3lame", rate=44_100, layout="stereo")
        stream.bit_rate = 192_000
        packing = av.AudioResampler(format="s16p", layout="stereo", rate=44_100, frame_size=1152)
        for frame in (*source.decode(audio=0), None):
            for packed in packing.resample(frame):
                file.mux(stream.encode(packed))
        file.mux(stream.encode(None))
    return path


def write_repeated(path: Path, song: Path, *, times: int) -> Path:
    """Write a song several times in a row."""
    with wave.open(str(song)) as source, wave.open(str(path), "wb") as out:
        out.setparams(source.getparams())
        out.writeframes(source.readframes(source.getnframes()) * times)
    return path


def write_silence(path: Path, *, seconds: float) -> Path:
    """Write silence as a small WAV: mono, 8 bit, 8 kHz."""
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 1, 8000, 0, "NONE", ""))
        out.writeframes(b"\x80" * round(seconds * 8000))
    return path


def picture() -> bytes:
    """Return one red pixel as PNG."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0\xff\0\0")),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
