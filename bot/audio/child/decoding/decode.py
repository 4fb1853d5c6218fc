"""Decodes an untrusted file into a spool without trusting its headers.

Everything that can be decoded is kept: damaged packets and pieces are skipped, and a truncated file
is decoded up to its end.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NoReturn

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition

from bot.audio.child import covers
from bot.audio.child.decoding import cuts, formats, spikes
from bot.audio.child.decoding.mixdown import Mixdown, Samples
from bot.audio.child.decoding.pieces import Input, Piece, pieces_of, whole
from bot.audio.child.decoding.stamps import Stamps
from bot.audio.child.decoding.tags import words_of
from bot.audio.spool import SAMPLE_RATE, is_silent
from bot.audio.tasks import Decoded, DecodeTask, part_of
from bot.domain.errors import Reason, Rejected

_TAG_LENGTH = 200
_LENGTH_SLACK_S = 1.0
_LEAST_FRAMES = SAMPLE_RATE // 10
_MOST_FAILURES = 1_000
"""Consecutive failures to read or decode a packet, after which decoding stops."""
_LAST_MOMENT_FRAMES = SAMPLE_RATE // 10
"""A song that ends with this many silent frames is not considered cut off."""


def decode(task: DecodeTask) -> Decoded:
    """Decode the file's best audio stream; raises Rejected as soon as it exceeds the limit."""
    try:
        with task.source.open("rb") as file:
            song = _Song(file, _demuxer(file))
            frames = _write(task, song)
            if task.cover is not None:
                _write_cover(task.cover, file, song.demuxer)
            is_cut = song.is_short or cuts.is_cut(file, song.demuxer)
    except (FFmpegError, MemoryError) as exc:
        raise Rejected(Reason.BROKEN_FILE) from exc
    spool = part_of(task.into)
    ends_early = is_cut and not is_silent(spool, max(0, frames - _LAST_MOMENT_FRAMES))
    spool.replace(task.into)
    return Decoded(
        frames=frames,
        container=song.demuxer,
        codec=song.codec,
        title=song.title,
        artist=song.artist,
        album=song.album,
        ends_early=ends_early,
    )


class _Song:
    """Decodes a file's pieces in turn, and collects its tags and signs of damage."""

    def __init__(self, file: BinaryIO, demuxer: str) -> None:
        self._file = file
        self.demuxer = demuxer
        self.codec = ""
        self.title: str | None = None
        self.artist: str | None = None
        self.album: str | None = None
        self.is_damaged = False
        """Whether any part could not be read or decoded."""
        self.is_short = False
        """Whether the last piece is shorter than its header says, or ended with an error."""

    def blocks(self) -> Iterator[Samples]:
        """Decode the pieces in order. Raises FFmpegError or Rejected if none can be decoded."""
        refusal: FFmpegError | Rejected | None = None
        for piece in pieces_of(self._file, self.demuxer):
            try:
                yield from self._blocks_of(piece)
            except (FFmpegError, Rejected) as exc:
                refusal = refusal or exc
                self.is_damaged = self.is_short = True
        if refusal is not None and not self.codec:
            raise refusal

    def _blocks_of(self, piece: Piece) -> Iterator[Samples]:
        with _opened(self._file, self.demuxer, piece) as container:
            stream = _stream(container)
            self._learn(container, stream)
            source = _Source(container, stream)
            frames = 0
            stamps = Stamps.of(container, self.demuxer)
            for block in _mixed(source, stamps):
                frames += len(block)
                yield block
            self.is_damaged |= source.is_damaged
            promised_s = self._promised_s(piece, stream) - stamps.jumped_s
            is_less = frames / SAMPLE_RATE < promised_s * 0.99 - _LENGTH_SLACK_S
            self.is_short = source.broke_off or is_less

    def _learn(self, container: InputContainer, stream: AudioStream) -> None:
        if self.codec:
            return
        self.codec = stream.codec_context.codec.canonical_name
        self._read_tags(container, stream)
        if self.demuxer == "mp3" and not (self.title and self.artist and self.album):
            # The piece excludes tags after the last frame, so read those from the whole file.
            with (
                suppress(FFmpegError),
                _opened(self._file, self.demuxer, whole(self._file)) as with_all,
            ):
                self._read_tags(with_all, with_all.streams.audio[0])

    def _read_tags(self, container: InputContainer, stream: AudioStream) -> None:
        self.title = self.title or self._tag(container, stream, "title")
        self.artist = self.artist or self._tag(container, stream, "artist")
        self.album = self.album or self._tag(container, stream, "album")

    def _tag(self, container: InputContainer, stream: AudioStream, name: str) -> str | None:
        """Return a tag as one short line without control or bidi characters."""
        for tags in (container.metadata, stream.metadata):
            for key, text in tags.items():
                if key.lower() == name and (told := words_of(text, self.demuxer)):
                    printable = "".join(char if char.isprintable() else " " for char in told)
                    if words := printable.split():
                        return " ".join(words)[:_TAG_LENGTH].strip()
        return None

    def _promised_s(self, piece: Piece, stream: AudioStream) -> float:
        if not formats.tells_length(Input(self._file, piece), self.demuxer):
            return 0.0
        if stream.duration is None or stream.time_base is None:
            return 0.0
        return float(stream.duration * stream.time_base)


class _Source:
    """The frames of one stream, without damaged packets."""

    def __init__(self, container: InputContainer, stream: AudioStream) -> None:
        self._container = container
        self._stream = stream
        self.is_damaged = False
        self.broke_off = False
        """Whether reading ended with an error: in the container, or too many bad packets in a
        row."""

    def frames(self) -> Iterator[AudioFrame]:
        failures = 0
        packets = self._container.demux(self._stream)
        while failures < _MOST_FAILURES:
            try:
                packet = next(packets, None)
            except FFmpegError:
                failures += 1
                self.is_damaged = self.broke_off = True
                packets = self._container.demux(self._stream)  # more packets may follow
                continue
            except IndexError:
                return  # PyAV raises this at the end of a file whose streams appeared midway
            if packet is None:
                return
            try:
                decoded = packet.decode()
            except FFmpegError:
                failures += 1
                self.is_damaged = True
                continue
            if decoded:
                failures = 0
                self.broke_off = False
            yield from decoded
        self.broke_off = True


def _mixed(source: _Source, stamps: Stamps) -> Iterator[Samples]:
    mixdown = Mixdown()
    for frame in source.frames():
        if hole_s := stamps.hole_before(frame):
            yield from mixdown.silence(hole_s)
        yield from mixdown.take(frame)
    yield from mixdown.rest()


def _write_cover(into: Path, file: BinaryIO, demuxer: str) -> None:
    into.unlink(missing_ok=True)  # left by an earlier try
    with suppress(FFmpegError), _opened(file, demuxer, whole(file)) as container:
        if (picture := covers.find(container)) is not None:
            covers.write_small(picture, into)


def _demuxer(file: BinaryIO) -> str:
    demuxer = formats.sniff(file)
    if demuxer is not None:
        return demuxer
    if not file.seek(0, os.SEEK_END):
        raise Rejected(Reason.EMPTY_FILE)
    raise Rejected(Reason.UNREAD_KIND if formats.is_unread(file) else Reason.NOT_AUDIO)


def _opened(file: BinaryIO, demuxer: str, piece: Piece) -> InputContainer:
    return av.open(
        Input(file, piece),
        "r",
        format=demuxer,
        options={"codec_whitelist": ",".join(formats.CODECS), "protocol_whitelist": "none"},
        metadata_errors="surrogateescape",
        io_open=_open_nothing,
    )


def _open_nothing(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    """Refuse to open any other file or address that a container refers to."""
    raise Rejected(Reason.BROKEN_FILE)


def _stream(container: InputContainer) -> AudioStream:
    """Return the default track if it can be decoded, else the first that can."""
    if not container.streams.audio:
        raise Rejected(Reason.NO_AUDIO_TRACK)
    readable = [stream for stream in container.streams.audio if _is_readable(stream)]
    if not readable:
        raise Rejected(Reason.UNREAD_CODEC)
    default = (each for each in readable if each.disposition & Disposition.default)
    return next(default, readable[0])


def _is_readable(stream: AudioStream) -> bool:
    context: AudioCodecContext | None = stream.codec_context  # None if FFmpeg has no decoder
    return context is not None and context.codec.name in formats.CODECS


def _write(task: DecodeTask, song: _Song) -> int:
    """Write the spool as a draft next to its final path; return its length in frames."""
    frames = 0
    loudness = spikes.Loudness()
    with part_of(task.into).open("wb") as spool:
        for block in song.blocks():
            frames += len(block)
            if frames > task.max_frames:
                raise Rejected(Reason.TOO_LONG)
            loudness.count(block)
            spool.write(block.astype("<f4", copy=False).tobytes())
    if frames < _LEAST_FRAMES:
        raise Rejected(Reason.BROKEN_FILE if song.is_damaged else Reason.TOO_SHORT)
    if loudness.ceiling is not None:
        spikes.clamp(part_of(task.into), loudness.ceiling)
    return frames
