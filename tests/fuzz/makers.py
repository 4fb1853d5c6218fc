"""Makers of odd audio files: functions that write a file and change some of its bytes."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.stream import Disposition

from tests.support.audio_files import tone, write

Sound = npt.NDArray[np.float32]
"""(channels, samples)."""
Make = Callable[[Path], Path]
"""A function that writes a file at this path and returns the path."""

RATE = 44_100
LOW, HIGH = 330.0, 550.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """An audio track. Packets from `hole_at_s` on are delayed by `hole_s`."""

    codec: str
    sound: Sound = field(default_factory=lambda: tone(2.0, hz=LOW))
    layout: str = "stereo"
    rate: int = RATE
    starts_at_s: float = 0.0
    hole_at_s: float = 1e9
    hole_s: float = 0.0
    is_default: bool = True


def muxed(
    path: Path,
    container: str,
    *tracks: Track,
    video_s: float = 0.0,
    options: Mapping[str, str] | None = None,
) -> Path:
    """Write a file of several tracks with the requested packet times."""
    with av.open(str(path), "w", format=container, options=dict(options or {})) as file:
        streams = [_add(file, track) for track in tracks]
        pictures = _add_pictures(file) if video_s else None
        packets = [
            packet
            for track, stream in zip(tracks, streams, strict=True)
            for packet in _packets(track, stream)
        ]
        if pictures:
            packets += [
                packet
                for picture in (*_pictures(round(25 * video_s)), None)
                for packet in pictures.encode(picture)
            ]
        for packet in sorted(packets, key=lambda each: (each.dts or 0) * each.time_base):
            file.mux(packet)
    return path


def _add(file: Any, track: Track) -> AudioStream:
    options = {"strict": "experimental"} if track.codec == "vorbis" else {}
    stream: AudioStream = file.add_stream(
        track.codec, rate=track.rate, layout=track.layout, options=options
    )
    stream.disposition = Disposition.default if track.is_default else Disposition(0)
    return stream


def _packets(track: Track, stream: AudioStream) -> list[Any]:
    packing = av.AudioResampler(
        format=stream.codec_context.format.name,
        layout=track.layout,
        rate=track.rate,
        frame_size=stream.codec_context.frame_size or 1024,
    )
    whole = av.AudioFrame.from_ndarray(track.sound, format="fltp", layout=track.layout)
    whole.sample_rate, whole.pts = track.rate, 0
    whole.time_base = Fraction(1, track.rate)
    packets = [
        packet
        for frame in (*packing.resample(whole), *packing.resample(None), None)
        for packet in stream.encode(frame)
    ]
    for packet in packets:
        at = packet.pts or 0
        at_s = float(at * packet.time_base)
        later_s = track.starts_at_s + (track.hole_s if at_s >= track.hole_at_s else 0.0)
        later = round(later_s / packet.time_base)
        packet.pts = packet.dts = at + later
    return packets


def _add_pictures(file: Any) -> Any:
    pictures = file.add_stream("mpeg4", rate=25)
    pictures.width = pictures.height = 64
    pictures.pix_fmt = "yuv420p"
    return pictures


def _pictures(number: int) -> list[Any]:
    frames = [av.VideoFrame(64, 64, "yuv420p") for _ in range(number)]
    for at, frame in enumerate(frames):
        frame.pts = at
    return frames


def plain(container: str, codec: str, **how: Any) -> Make:
    """Make a normal file with a two-second tone."""
    rate = how.get("sample_rate", RATE)
    sound = tone(2.0, hz=LOW, sample_rate=rate, channels=1 if "layout" in how else 2)
    return lambda path: write(path, container, codec, **{"sound": sound, **how})


def changed(make: Make, change: Callable[[bytes], bytes]) -> Make:
    """Make a file with its bytes changed."""

    def written(path: Path) -> Path:
        make(path)
        path.write_bytes(change(path.read_bytes()))
        return path

    return written


def joined(*makes: Make, between: bytes = b"") -> Make:
    """Make a file by concatenating several files."""

    def written(path: Path) -> Path:
        path.write_bytes(between.join(make(path).read_bytes() for make in makes))
        return path

    return written


def of_bytes(content: bytes) -> Make:
    """Make a file of exactly these bytes."""

    def written(path: Path) -> Path:
        path.write_bytes(content)
        return path

    return written


def patched(name: bytes, offset: int, value: bytes) -> Callable[[bytes], bytes]:
    """Write a value at an offset from the first occurrence of a name."""

    def change(content: bytes) -> bytes:
        at = content.index(name) + offset
        return content[:at] + value + content[at + len(value) :]

    return change


def resized(by: int) -> Callable[[bytes], bytes]:
    """Make a WAV file's data size wrong by some bytes."""

    def change(content: bytes) -> bytes:
        at = content.index(b"data") + 4
        size = int.from_bytes(content[at : at + 4], "little") + by
        return content[:at] + size.to_bytes(4, "little") + content[at + 4 :]

    return change


def behind(more: bytes) -> Callable[[bytes], bytes]:
    """Append bytes to a file."""
    return lambda content: content + more


def cut_to(share: float) -> Callable[[bytes], bytes]:
    """Truncate a file to the given share."""
    return lambda content: content[: int(len(content) * share)]


def id3v2(frame_bytes: bytes) -> bytes:
    """Return an ID3v2 tag with a picture of these bytes."""
    picture = b"\x00image/jpeg\x00\x03\x00" + frame_bytes
    frame = b"APIC" + struct.pack(">IH", len(picture), 0) + picture
    size = bytes(len(frame) >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\x03\x00\x00" + size + frame


def ape_tag(cover: bytes) -> bytes:
    """Return an APEv2 tag with a header, one item and a footer."""
    item = struct.pack("<II", len(cover), 2) + b"Cover Art (Front)\0" + cover
    ends = [
        b"APETAGEX" + struct.pack("<IIII", 2000, len(item) + 32, 1, flags) + bytes(8)
        for flags in (0xA0000000, 0x80000000)
    ]
    return ends[0] + item + ends[1]


ID3V1 = b"TAG" + b"Neon Rain".ljust(125, b"\0")
LYRICS3 = b"LYRICSBEGIN" + b"IND0000210LYR00020[00:01]La la la la la" + b"000059LYRICS200"
COVER = b"\xff\xd8\xff\xe0" + b"\xff\xfb\x90\x64" * 3000 + b"\xff\xd9"
"""A worst-case picture that consists of apparent MPEG frame headers."""


def high(container: str, codec: str, *, rate: int = RATE, mono: bool = False) -> Make:
    """Make a file with two seconds of the higher tone."""
    sound = tone(2.0, hz=HIGH, sample_rate=rate, channels=1 if mono else 2)
    layout = "mono" if mono else "stereo"
    return lambda path: write(path, container, codec, sound=sound, sample_rate=rate, layout=layout)


def of_tracks(container: str, *tracks: Track, **how: Any) -> Make:
    """Make a file of several tracks, of one with a hole, or with video."""
    return lambda path: muxed(path, container, *tracks, **how)


def chord(channels: int, *, mask: int | None = None) -> Make:
    """Make a WAV file with a different pitch in every channel."""

    def written(path: Path) -> Path:
        sound = np.concatenate([tone(2.0, hz=hz, channels=1) for hz in pitches(channels)])
        samples = (sound.T * 0.3 * 32767).astype("<i2")
        kind = struct.pack("<HHIIHH", 1, channels, RATE, RATE * 2 * channels, 2 * channels, 16)
        if mask is not None:
            guid = b"\x01\x00\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"
            kind = b"\xfe\xff" + kind[2:] + struct.pack("<HHI", 22, 16, mask) + guid
        path.write_bytes(riff(kind, samples.tobytes()))
        return path

    return written


def pitches(channels: int) -> tuple[float, ...]:
    """Return a pitch for each channel, none a harmonic of another."""
    return tuple(300.0 + 50 * number for number in range(channels))


def riff(kind: bytes, data: bytes) -> bytes:
    """Return a WAVE file."""
    chunks = b"fmt " + struct.pack("<I", len(kind)) + kind
    chunks += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def float_wav(spoil: Callable[[Sound], None]) -> Make:
    """Make a float WAV file with some samples altered."""

    def written(path: Path) -> Path:
        sound = np.ascontiguousarray(tone(2.0, hz=LOW).T)
        spoil(sound)
        path.write_bytes(
            riff(struct.pack("<HHIIHH", 3, 2, RATE, RATE * 8, 8, 32), sound.astype("<f4").tobytes())
        )
        return path

    return written


def spiked(sound: Sound) -> None:
    """Insert one absurdly loud sample."""
    sound[30_000] = 17_000.0


def without_numbers(sound: Sound) -> None:
    """Insert NaN and infinite samples."""
    sound[30_000:30_004] = np.nan
    sound[31_000] = np.inf


def trimmed(*, start_s: float = 0.0, end_s: float = 0.0) -> Callable[[bytes], bytes]:
    """Change an MP4 file's only edit, so that it skips the start or the end."""

    def change(content: bytes) -> bytes:
        at = content.index(b"elst") + 12
        duration, media_time = struct.unpack(">Ii", content[at : at + 8])
        duration -= round(1000 * (start_s + end_s))
        edit = struct.pack(">Ii", duration, media_time + round(RATE * start_s))
        return content[:at] + edit + content[at + 8 :]

    return change


def long_silence(path: Path) -> Path:
    """Write a minute and a half of silence in a few kilobytes."""
    silence = np.zeros((1, 8_000 * 90), np.float32)
    return write(path, "flac", "flac", sound=silence, sample_rate=8_000, layout="mono")


def silent_ape(path: Path) -> Path:
    """Write two silent Monkey's Audio frames. No encoder is available for more."""
    blocks, last = 73_728, 14_472
    frames = [struct.pack("<II8x", 0x80000000, 3)] * 2
    header = struct.pack("<HHIIIHHI", 1000, 32, blocks, last, len(frames), 16, 2, RATE)
    seeks_at = 52 + len(header)
    first = seeks_at + 4 * len(frames)
    seeks = struct.pack("<II", first, first + len(frames[0]))
    sizes = (52, len(header), len(seeks), 0, sum(map(len, frames)), 0, 0)
    descriptor = b"MAC " + struct.pack("<HH7I", 3990, 0, *sizes) + bytes(16)
    path.write_bytes(descriptor + header + seeks + b"".join(frames) + bytes(8))
    return path


def short(frames: int, container: str, codec: str, *, rate: int = 48_000) -> Make:
    """Make a file with very few samples."""
    sound = tone(frames / rate, sample_rate=rate)
    return lambda path: write(path, container, codec, sound=sound, sample_rate=rate)


def video_only(container: str) -> Make:
    """Make a video without sound."""

    def written(path: Path) -> Path:
        with av.open(str(path), "w", format=container) as file:
            pictures = _add_pictures(file)
            for picture in (*_pictures(25), None):
                file.mux(pictures.encode(picture))
        return path

    return written
