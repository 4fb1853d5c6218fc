"""Encodes one chunk of a stem as a separate file that decodes to exactly that chunk."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import av
import numpy as np
from av.audio.frame import AudioFrame

from bot.audio.child.master import Samples
from bot.audio.child.packing.chunks import Grid
from bot.audio.child.packing.ogg import FRAME, ogg_opus
from bot.audio.pack_tasks import PACK_RATES, PACK_S, PackCodec

Encode = Callable[[Samples, int], bytes]
"""Encodes a chunk. Takes its samples with those around it, and its length in frames."""

_RUN_UP = 4_800
"""Opus predicts from decoded sound; after 100 ms a new decoder is as accurate as any other.

The 80 ms of RFC 7845 are not enough: noise at the seams is 20 dB louder than elsewhere."""
_LOOK_AHEAD = 312
"""The delay of libopus in frames at 48 kHz."""
_BIT_RATE = 96_000
_NO_PADDING = {"metadata_header_padding": "0"}
"""FLAC files would otherwise reserve 8 KiB for tags."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkCodec:
    """An encoder, and the frames that it needs before and after a chunk."""

    encode: Encode
    before: int = 0
    after: int = 0

    def grid(self, codec: PackCodec, seconds: float) -> Grid:
        """Return the chunks of a song of this length."""
        rate = PACK_RATES[codec]
        return Grid(
            rate=rate,
            frames=round(seconds * rate),
            length=PACK_S * rate,
            before=self.before,
            after=self.after,
        )


def _opus(sound: Samples, length: int) -> bytes:
    """Encode the chunk with its run-up, which the pre-skip tells decoders to drop.

    A chunk shorter than a packet is padded with the frames that follow, because FFmpeg, which
    Chromium uses, cannot drop both the start and the end of one packet.
    """
    length = max(length, FRAME)
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate = PACK_RATES[PackCodec.OPUS]
    encoder.layout = "stereo"
    encoder.format = av.AudioFormat("flt")
    encoder.bit_rate = _BIT_RATE
    encoder.options = {"compression_level": "5"}
    count = -(-(_LOOK_AHEAD + _RUN_UP + length) // FRAME)
    packets: list[bytes] = []
    for number in range(count):
        piece = sound[number * FRAME : (number + 1) * FRAME]
        packets += map(bytes, encoder.encode(_frame(piece, "flt", encoder.sample_rate)))
    return ogg_opus(packets[:count], pre_skip=_LOOK_AHEAD + _RUN_UP, frames=length)


def _flac(sound: Samples, length: int) -> bytes:
    steps = np.rint(sound[:length] * 32_768).clip(-32_768, 32_767).astype(np.int16)
    file = io.BytesIO()
    with av.open(file, "w", format="flac", options=_NO_PADDING) as container:
        stream = container.add_stream("flac", rate=PACK_RATES[PackCodec.FLAC], layout="stereo")
        container.mux(stream.encode(_frame(steps, "s16", PACK_RATES[PackCodec.FLAC])))
        container.mux(stream.encode(None))
    return file.getvalue()


def _frame(sound: np.ndarray, sample_format: str, rate: int) -> AudioFrame:
    frame = AudioFrame.from_ndarray(
        np.ascontiguousarray(sound).reshape(1, -1), format=sample_format, layout="stereo"
    )
    frame.sample_rate = rate
    return frame


CHUNK_CODECS: Mapping[PackCodec, ChunkCodec] = {
    PackCodec.OPUS: ChunkCodec(encode=_opus, before=_RUN_UP, after=_LOOK_AHEAD + 2 * FRAME),
    PackCodec.FLAC: ChunkCodec(encode=_flac),
}
