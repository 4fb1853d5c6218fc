"""Synthesised audio files of every kind, for tests to decode and compare."""

import base64
import io
import struct
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream
from av.stream import Disposition
from PIL import Image

from bot.audio.spool import CHANNELS, SAMPLE_RATE

LEVEL = 0.5
TONE_RMS = LEVEL / np.sqrt(2)
KINDS = [
    # name, container, codec, sample rate, demuxer, reported codec
    ("a.mp3", "mp3", "libmp3lame", 44_100, "mp3", "mp3"),
    ("a.mp2", "mp2", "mp2", 44_100, "mp3", "mp2"),
    ("low.mp3", "mp3", "libmp3lame", 22_050, "mp3", "mp3"),
    ("a.m4a", "mp4", "aac", 44_100, "mov", "aac"),
    ("alac.m4a", "mp4", "alac", 44_100, "mov", "alac"),
    ("a.mov", "mov", "pcm_s16le", 44_100, "mov", "pcm_s16le"),
    ("a.aac", "adts", "aac", 44_100, "aac", "aac"),
    ("a.ogg", "ogg", "libopus", 48_000, "ogg", "opus"),
    ("a.webm", "webm", "libopus", 48_000, "matroska,webm", "opus"),
    ("a.mka", "matroska", "aac", 44_100, "matroska,webm", "aac"),
    ("a.flac", "flac", "flac", 96_000, "flac", "flac"),
    ("a.wav", "wav", "pcm_s16le", 44_100, "wav", "pcm_s16le"),
    ("float.wav", "wav", "pcm_f32le", 48_000, "wav", "pcm_f32le"),
    ("a.aiff", "aiff", "pcm_s16be", 44_100, "aiff", "pcm_s16be"),
    ("a.caf", "caf", "pcm_s16be", 44_100, "caf", "pcm_s16be"),
    ("a.ac3", "ac3", "ac3", 48_000, "ac3", "ac3"),
    ("a.eac3", "eac3", "eac3", 48_000, "eac3", "eac3"),
    ("a.wma", "asf", "wmav2", 44_100, "asf", "wmav2"),
    ("a.avi", "avi", "libmp3lame", 44_100, "avi", "mp3"),
    ("a.flv", "flv", "aac", 44_100, "flv", "aac"),
    ("a.ts", "mpegts", "aac", 44_100, "mpegts", "aac"),
    ("a.vob", "vob", "mp2", 48_000, "mpeg", "mp2"),
    ("a.au", "au", "pcm_s16be", 44_100, "au", "pcm_s16be"),
    ("a.w64", "w64", "pcm_s24le", 48_000, "w64", "pcm_s24le"),
    ("a.aifc", "aiff", "pcm_s16le", 44_100, "aiff", "pcm_s16le"),
    ("a.wv", "wv", "wavpack", 44_100, "wv", "wavpack"),
    ("a.tta", "tta", "tta", 44_100, "tta", "tta"),
]


def tone(duration_s=1.0, *, sample_rate=SAMPLE_RATE, channels=2, level=LEVEL, hz=440.0):
    """Return the same sine in every channel, as (channels, samples)."""
    time = np.arange(round(duration_s * sample_rate)) / sample_rate
    wave = level * np.sin(2 * np.pi * hz * time)
    return np.tile(wave.astype(np.float32), (channels, 1))


def write(
    path: Path,
    container: str,
    codec: Any,
    *,
    sound=None,
    sample_rate=SAMPLE_RATE,
    layout="stereo",
    video=False,
    bit_rate=None,
    options: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> Path:
    """Encode a (channels, samples) array, by default a second of tone, with FFmpeg."""
    channels = {"mono": 1, "stereo": 2, "5.1": 6}[layout]
    if sound is None:
        sound = tone(sample_rate=sample_rate, channels=channels)
    with av.open(str(path), "w", format=container, options=dict(options or {})) as file:
        file.metadata.update(tags or {})
        stream: AudioStream = file.add_stream(codec, rate=sample_rate, layout=layout)
        if bit_rate:
            stream.bit_rate = bit_rate
        pictures = _add_video(file) if video else None
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(sound, np.float32), format="fltp", layout=layout
        )
        frame.sample_rate = sample_rate
        packing = av.AudioResampler(
            format=stream.codec_context.format.name,
            layout=layout,
            rate=sample_rate,
            frame_size=stream.codec_context.frame_size or 1024,
        )
        for packed in (*packing.resample(frame), *packing.resample(None), None):
            file.mux(stream.encode(packed))
        if pictures:
            for picture in (*(av.VideoFrame(64, 64, "yuv420p") for _ in range(25)), None):
                file.mux(pictures.encode(picture))
    return path


def a_picture(kind: str, *, side: int = 300, noise: bool = False) -> bytes:
    """Return a picture as a JPEG or PNG file."""
    shape = (side, side, 3)
    pixels = (
        np.random.default_rng(1).integers(0, 256, shape, np.uint8)
        if noise
        else np.zeros(shape, np.uint8)
    )
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind)
    return content.getvalue()


def write_with_picture(path: Path, container: str, codec: Any, picture: bytes) -> Path:
    """Write a second of tone with a picture in its tags, in MP3, FLAC, M4A or Opus."""
    with av.open(str(path), "w", format=container) as file:
        stream: AudioStream = file.add_stream(codec, rate=48_000, layout="stereo")
        if container == "opus":
            block = (
                struct.pack(">II", 3, 9)
                + b"image/png"
                + struct.pack(">6I", 0, 0, 0, 0, 0, len(picture))
            )
            file.metadata["METADATA_BLOCK_PICTURE"] = base64.b64encode(block + picture).decode()
        else:
            pictures = file.add_stream("png" if picture.startswith(b"\x89PNG") else "mjpeg")
            pictures.width = pictures.height = 300
            pictures.pix_fmt = "rgb24" if picture.startswith(b"\x89PNG") else "yuvj420p"
            pictures.time_base = Fraction(1, 1)
            pictures.disposition = Disposition.attached_pic
            packet = av.Packet(picture)
            packet.stream, packet.pts, packet.dts = pictures, 0, 0
            file.mux(packet)
        frame = av.AudioFrame.from_ndarray(tone(sample_rate=48_000), format="fltp", layout="stereo")
        frame.sample_rate = 48_000
        packing = av.AudioResampler(
            format=stream.codec_context.format.name,
            layout="stereo",
            rate=48_000,
            frame_size=stream.codec_context.frame_size or 1024,
        )
        for packed in (*packing.resample(frame), *packing.resample(None), None):
            file.mux(stream.encode(packed))
    return path


def write_video_only(path: Path) -> Path:
    with av.open(str(path), "w", format="mp4") as file:
        pictures = _add_video(file)
        for picture in (*(av.VideoFrame(64, 64, "yuv420p") for _ in range(25)), None):
            file.mux(pictures.encode(picture))
    return path


def _add_video(file):
    pictures = file.add_stream("mpeg4", rate=25)
    pictures.width = pictures.height = 64
    pictures.pix_fmt = "yuv420p"
    return pictures


def write_spool(path: Path, sound) -> Path:
    """Write a (channels, samples) array as a spool."""
    np.ascontiguousarray(sound.T, "<f4").tofile(path)
    return path


def read_spool(path: Path):
    """Read a spool as a (samples, channels) array."""
    return np.fromfile(path, "<f4").reshape(-1, CHANNELS)


def rms(samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
