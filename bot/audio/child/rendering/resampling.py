"""Plays sound at another rate, which changes pitch and length together."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np
from av.audio.frame import AudioFrame
from av.error import BlockingIOError as NothingYet
from av.error import EOFError as Ended
from av.filter import Graph

from bot.audio.child.master import Samples
from bot.audio.spool import CHANNELS, SAMPLE_RATE

_FILTER = f"{SAMPLE_RATE}:filter_size=64:phase_shift=10"


def resampled(pieces: Iterable[Samples], *, rate: int) -> Iterator[Samples]:
    """Resample pieces from `rate` to 44.1 kHz."""
    graph, at = _graph(rate), 0
    for piece in filter(len, pieces):
        frame = AudioFrame.from_ndarray(piece.reshape(1, -1), format="flt", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate, at, Fraction(1, rate)
        at += len(piece)
        graph.push(frame)
        yield from _ready(graph)
    graph.push(None)
    yield from _ready(graph)


def _graph(rate: int) -> Graph:
    graph = Graph()
    graph.threads = 1
    graph.link_nodes(
        graph.add_abuffer(
            sample_rate=rate, format="flt", layout="stereo", time_base=Fraction(1, rate)
        ),
        graph.add("aresample", _FILTER),
        graph.add("aformat", "sample_fmts=flt:channel_layouts=stereo"),
        graph.add("abuffersink"),
    ).configure()
    return graph


def _ready(graph: Graph) -> Iterator[Samples]:
    while True:
        try:
            frame = graph.pull()
        except (NothingYet, Ended):
            return
        samples: Samples = frame.to_ndarray().astype(np.float32, copy=False)
        yield samples.reshape(-1, CHANNELS)
