"""Streaming reader and writer of audio files, based on PyAV."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeAlias

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame

from sandbox.vendors.separate import RATE, STEP, Samples

Codec: TypeAlias = Literal["libmp3lame", "pcm_s16le"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """The encoder settings of a format."""

    codec: Codec
    sample_format: str
    options: Mapping[str, str] = field(default_factory=dict)

    def arranged(self, samples: Samples) -> npt.NDArray[Any]:
        """Return samples in the layout that the encoder expects."""
        if self.sample_format == "s16":
            return np.round(samples.T * 32767).astype(np.int16).reshape(1, -1)
        return np.ascontiguousarray(samples)


CODINGS: Final = {
    "mp3": Coding(
        codec="libmp3lame",
        sample_format="fltp",
        # LAME's fastest setting, at three times the default speed. Quality hardly matters here.
        options={"b": "256k", "compression_level": "7"},
    ),
    "wav": Coding(codec="pcm_s16le", sample_format="s16"),
}
CONTENT_TYPES: Final = {"mp3": "audio/mpeg", "wav": "audio/wav", "zip": "application/zip"}


class UnreadableSong(Exception):
    """The file is not decodable audio or video."""


def read_song(path: Path) -> Iterator[Samples]:
    """Yield the first audio stream in stereo. Raises UnreadableSong, possibly only at the end."""
    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE)
    held: list[Samples] = []
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise UnreadableSong("there is no audio in it")
            for frame in container.decode(audio=0):
                held += [_samples(each) for each in resampler.resample(frame)]
                if sum(each.shape[1] for each in held) >= STEP:
                    yield np.concatenate(held, axis=1)
                    held = []
            held += [_samples(each) for each in resampler.resample(None)]
    except av.FFmpegError as exc:
        raise UnreadableSong(str(exc)) from exc
    if held:
        yield np.concatenate(held, axis=1)


def _samples(frame: AudioFrame) -> Samples:
    samples: Samples = frame.to_ndarray().astype(np.float32, copy=False)
    return samples


class StemWriter:
    """Writes one file, completed when the `with` block ends."""

    def __init__(self, path: Path) -> None:
        self._coding = CODINGS[path.suffix.removeprefix(".")]
        self._container = av.open(str(path), "w")
        self._stream = self._container.add_stream(
            self._coding.codec, rate=RATE, layout="stereo", options=dict(self._coding.options)
        )
        self._stream.format = self._coding.sample_format
        self._position = 0

    def __enter__(self) -> Self:
        """Open the file."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Flush the encoder, unless the block raised, and close the file."""
        if kind is None:
            self._container.mux(self._stream.encode(None))
        self._container.close()

    def write(self, samples: Samples) -> None:
        """Append samples, clipped to full scale."""
        frame = AudioFrame.from_ndarray(
            self._coding.arranged(np.clip(samples, -1.0, 1.0)),
            format=self._coding.sample_format,
            layout="stereo",
        )
        frame.sample_rate = RATE
        frame.pts = self._position
        self._position += samples.shape[1]
        self._container.mux(self._stream.encode(frame))
