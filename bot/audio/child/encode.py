"""Encodes a master for delivery, and fits it into a size limit."""

from collections.abc import Mapping
from pathlib import Path

import av

from bot.audio.child import covers, master
from bot.audio.child.audio_writer import Encoding, writer
from bot.audio.child.covers import Cover
from bot.audio.spool import CHANNELS, SAMPLE_RATE
from bot.audio.tasks import DoesNotFit, Encoded, EncodeTask, part_of
from bot.domain.recipes import AudioFormat

_OLD_PLAYERS = {"id3v2_version": "3"}
"""Old players can read ID3 version 2.3, but not 2.4."""


def mp3(*, joint_stereo: bool) -> Encoding:
    """Return the encoder of MP3 files."""
    # Levels 7 to 9 give the same result here and take LAME half as long as level 2.
    options = {"compression_level": "7", "joint_stereo": str(int(joint_stereo))}
    return Encoding(
        container="mp3",
        codec="libmp3lame",
        codec_options=options,
        container_options=_OLD_PLAYERS,
    )


_LOSSY: Mapping[AudioFormat, Mapping[int, Encoding]] = {
    # A stem alone has nothing to mask the encoder's losses, so it gets a high bit rate. At that
    # rate joint stereo would need 20 % more CPU time without an audible gain: in bench/encoders.py,
    # noise is 8.9 dB below the masking threshold either way (6.2 dB at 192 kbit/s). In the
    # difference of the channels, which is not heard on its own, it is 3.8 dB below instead of 7.6
    # dB. Lower rates need joint stereo.
    AudioFormat.MP3: {
        256_000: mp3(joint_stereo=False),
        **dict.fromkeys(
            (192_000, 160_000, 128_000, 112_000, 96_000, 80_000, 64_000), mp3(joint_stereo=True)
        ),
    },
    AudioFormat.OPUS: dict.fromkeys(
        (160_000, 128_000, 96_000, 80_000, 64_000, 48_000, 40_000, 32_000),
        Encoding(container="opus", codec="libopus", sample_rate=48_000),
    ),
}
"""Encoders by bit rate in bit/s, best first: the first is the default, the last is the minimum."""

_WAV = Encoding(container="wav", codec="pcm_s16le")
_WAV_FRAME_BYTES = CHANNELS * 2
_TAG_BYTES = 16 * 1024


def encode(task: EncodeTask) -> Encoded:
    """Encode the stem; of the lossy rates, use the best that fits. Raises DoesNotFit."""
    match task.format:
        case AudioFormat.MP3 | AudioFormat.OPUS:
            return _encode_lossy(task)
        case AudioFormat.WAV:
            return _encode_wav(task)
        case AudioFormat.FLAC:
            _copy(task)
            return _finished(task, bit_rate=None)


def _encode_lossy(task: EncodeTask) -> Encoded:
    duration_s = _frames_in(task.stem) / SAMPLE_RATE
    needed_bytes = 0
    for bit_rate, encoding in _LOSSY[task.format].items():
        needed_bytes = int(bit_rate / 8 * duration_s)
        if _fits(task, needed_bytes=needed_bytes):
            _transcode(task, encoding, bit_rate, cover=_cover(task, beside_bytes=needed_bytes))
            # An encoder may not keep to the requested rate, so the file's size decides.
            needed_bytes = part_of(task.into).stat().st_size
            if _fits(task, needed_bytes=needed_bytes):
                return _finished(task, bit_rate=bit_rate)
    raise DoesNotFit(needed_bytes=needed_bytes, max_bytes=task.max_bytes or 0)


def _encode_wav(task: EncodeTask) -> Encoded:
    needed_bytes = _frames_in(task.stem) * _WAV_FRAME_BYTES
    if task.max_bytes is not None and not _fits(task, needed_bytes=needed_bytes):
        raise DoesNotFit(needed_bytes=needed_bytes, max_bytes=task.max_bytes)
    _transcode(task, _WAV, bit_rate=None)
    return _finished(task, bit_rate=None)


def _transcode(
    task: EncodeTask, encoding: Encoding, bit_rate: int | None, *, cover: Cover | None = None
) -> None:
    path = part_of(task.into)
    with (
        master.opened(task.stem) as stem,
        writer(path, encoding, tags=_tags(task), bit_rate=bit_rate, cover=cover) as write,
    ):
        for frame in stem.decode(stem.streams.audio[0]):
            write(frame)


def _copy(task: EncodeTask) -> None:
    """Give the master its tags without encoding it again: it is FLAC already."""
    cover = _cover(task, beside_bytes=task.stem.stat().st_size)
    with (
        master.opened(task.stem) as stem,
        part_of(task.into).open("wb") as file,
        av.open(file, "w", format="flac") as copy,
    ):
        copy.metadata.update(_tags(task))
        template = stem.streams.audio[0]
        stream = copy.add_stream_from_template(template)
        if cover is not None:
            covers.attach(copy, cover)
        for packet in stem.demux(template):
            if packet.size:  # the last packet is empty and only marks the end
                packet.stream = stream
                copy.mux(packet)


def _finished(task: EncodeTask, *, bit_rate: int | None) -> Encoded:
    """Move the file into place. Raises DoesNotFit if it is too large."""
    part = part_of(task.into)
    size_bytes = part.stat().st_size
    if task.max_bytes is not None and size_bytes > task.max_bytes:
        raise DoesNotFit(needed_bytes=size_bytes, max_bytes=task.max_bytes)
    part.replace(task.into)
    return Encoded(path=task.into, size_bytes=size_bytes, format=task.format, bit_rate=bit_rate)


def _cover(task: EncodeTask, *, beside_bytes: int) -> Cover | None:
    """Return the cover if there is room for it beside the sound."""
    cover = covers.read(task.cover)
    if cover is None:
        return None
    needed_bytes = beside_bytes + len(cover.content) * 4 // 3 + _TAG_BYTES  # at most, as Base64
    return cover if _fits(task, needed_bytes=needed_bytes) else None


def _fits(task: EncodeTask, *, needed_bytes: int) -> bool:
    return task.max_bytes is None or needed_bytes <= task.max_bytes


def _frames_in(stem: Path) -> int:
    with master.opened(stem) as container:
        return master.frames_in(container)


_TAGS_OF_MUSIC: Mapping[AudioFormat, tuple[str, str]] = {
    AudioFormat.MP3: ("TKEY", "TBPM"),
    AudioFormat.OPUS: ("INITIALKEY", "BPM"),
    AudioFormat.FLAC: ("INITIALKEY", "BPM"),
}
"""The names of the tags for key and tempo in each format; WAV has no such tags."""


def _tags(task: EncodeTask) -> dict[str, str]:
    tags = {"title": task.title, "artist": task.artist, "album": task.album}
    if names := _TAGS_OF_MUSIC.get(task.format):
        tags |= dict(zip(names, (task.key, task.bpm), strict=True))
    return {name: text for name, text in tags.items() if text}
