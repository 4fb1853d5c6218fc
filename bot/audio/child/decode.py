"""Decode a stranger's file into a spool; nothing that the file claims about itself is believed."""

import errno
import os
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NoReturn

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from numpy.typing import NDArray

from bot.audio.child import cuts, formats
from bot.audio.spool import CHANNELS, SAMPLE_RATE
from bot.audio.tasks import Decoded, DecodeTask, part_of
from bot.domain.errors import Reason, Rejected

_SAMPLE_RATES = range(1_000, 768_001)
_LOUDEST = 1e9
_TAG_LENGTH = 200
_LENGTH_SLACK_S = 1.0


def decode(task: DecodeTask) -> Decoded:
    """Decode the first audio stream until it ends; refuse it as soon as it is too long."""
    try:
        with task.source.open("rb") as file:
            demuxer = _demuxer(file)
            is_told = formats.tells_length(file, demuxer)
            is_cut = cuts.is_cut(file, demuxer)
            file.seek(0)
            with av.open(
                _Input(file),
                "r",
                format=demuxer,
                options={
                    "codec_whitelist": ",".join(formats.CODECS),
                    "protocol_whitelist": "none",
                },
                metadata_errors="replace",
                io_open=_open_nothing,
            ) as container:
                decoded = _decode(container, demuxer, task, is_length_told=is_told, is_cut=is_cut)
    except (FFmpegError, MemoryError) as exc:
        raise Rejected(Reason.BROKEN_FILE) from exc
    part_of(task.into).replace(task.into)
    return decoded


def _decode(
    container: InputContainer,
    demuxer: str,
    task: DecodeTask,
    *,
    is_length_told: bool,
    is_cut: bool,
) -> Decoded:
    stream = _stream(container)
    source = _Source(container, stream)
    frames = _write(task, _blocks(source.frames()))
    promised_s = _promised_s(stream) if is_length_told else 0.0
    is_short = frames / SAMPLE_RATE < promised_s * 0.99 - _LENGTH_SLACK_S
    return Decoded(
        frames=frames,
        container=demuxer,
        codec=stream.codec_context.codec.canonical_name,
        title=_tag(container, stream, "title"),
        artist=_tag(container, stream, "artist"),
        truncated=source.broke_off or is_short or is_cut,
    )


class _Input:
    """A file as PyAV reads it: nameless, and with seeks that may fail.

    Damaged files ask for places that cannot be. FFmpeg expects a negative number then; as an
    exception it could not be told from a fault of the disk.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.read = file.read
        self.tell = file.tell

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return self._file.seek(offset, whence)
        except OSError as exc:
            if exc.errno != errno.EINVAL:
                raise
            return -errno.EINVAL


class _Source:
    """The frames of one stream, with damaged packets left out."""

    def __init__(self, container: InputContainer, stream: AudioStream) -> None:
        self._container = container
        self._stream = stream
        self.broke_off = False
        """Whether the last thing that the file held was an error rather than audio."""

    def frames(self) -> Iterator[AudioFrame]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except FFmpegError:
                self.broke_off = True
                return
            if packet is None:
                return
            self.broke_off = packet.is_corrupt or (self.broke_off and packet.size == 0)
            try:
                yield from packet.decode()
            except FFmpegError:
                self.broke_off = True


def _demuxer(file: BinaryIO) -> str:
    demuxer = formats.sniff(file)
    if demuxer is None:
        raise Rejected(Reason.NOT_AUDIO if file.seek(0, 2) else Reason.EMPTY_FILE)
    file.seek(0)
    return demuxer


def _open_nothing(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    """Refuse whatever else a container would have FFmpeg open, a file or an address."""
    raise Rejected(Reason.BROKEN_FILE)


def _stream(container: InputContainer) -> AudioStream:
    if not container.streams.audio:
        raise Rejected(Reason.NO_AUDIO_TRACK)
    stream = container.streams.audio[0]
    context: AudioCodecContext | None = stream.codec_context  # None if FFmpeg has no decoder
    if context is None or context.codec.name not in formats.CODECS:
        raise Rejected(Reason.BROKEN_FILE)
    return stream


def _write(task: DecodeTask, blocks: Iterable[NDArray[np.float32]]) -> int:
    frames = 0
    with part_of(task.into).open("wb") as spool:
        for block in blocks:
            frames += len(block)
            if frames > task.max_frames:
                raise Rejected(Reason.TOO_LONG)
            spool.write(block.astype("<f4", copy=False).tobytes())
    if frames == 0:
        raise Rejected(Reason.BROKEN_FILE)
    return frames


def _blocks(frames: Iterable[AudioFrame]) -> Iterator[NDArray[np.float32]]:
    """Turn frames into stereo blocks at the spool's rate; their parameters may change midway."""
    resampler, shape = None, None
    for frame in frames:
        if frame.sample_rate not in _SAMPLE_RATES:
            raise Rejected(Reason.BROKEN_FILE)
        # Time stamps lie too: frames are taken as they come, without gaps.
        frame.pts = None
        if shape != (shape := (frame.sample_rate, frame.format.name, frame.layout.name)):
            yield from _converted(resampler, None)
            # FFmpeg would lower mono by 3 dB on its way to stereo.
            layout = "mono" if frame.layout.nb_channels == 1 else "stereo"
            resampler = AudioResampler(format="flt", layout=layout, rate=SAMPLE_RATE)
        yield from _converted(resampler, frame)
    yield from _converted(resampler, None)


def _converted(
    resampler: AudioResampler | None, frame: AudioFrame | None
) -> Iterator[NDArray[np.float32]]:
    # A resampler with nothing to do hands back even the None that flushes it.
    for converted in filter(None, resampler.resample(frame) if resampler else ()):
        block = converted.to_ndarray().reshape(-1, converted.layout.nb_channels)
        samples = np.repeat(block, CHANNELS // block.shape[1], axis=1).astype(np.float32)
        samples[~(np.abs(samples) < _LOUDEST)] = 0.0  # not a number, infinite or absurd
        yield samples


def _promised_s(stream: AudioStream) -> float:
    if stream.duration is None or stream.time_base is None:
        return 0.0
    return float(stream.duration * stream.time_base)


def _tag(container: InputContainer, stream: AudioStream, name: str) -> str | None:
    """Return a tag as one short line without control or direction characters."""
    for tags in (container.metadata, stream.metadata):
        for key, text in tags.items():
            words = "".join(char if char.isprintable() else " " for char in text).split()
            if key.lower() == name and words:
                return " ".join(words)[:_TAG_LENGTH].strip()
    return None
