"""Runs Spleeter's two stems block by block: a mask for the voice, and the rest as the residue.

The network sees 512 columns (12 s) at a time, as in training. Blocks overlap, and the 32 columns on
either side of a seam are only context, which gains 0.05 dB on a looped clip. Every thread works on
a separate block, which keeps all cores busy; a single network that is spread over threads would
wait for the slowest of them in each layer.
"""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.domain.recipes import Stem
from bot.engine.model_declaration import DamagedModel
from bot.engine.worker.network import Network
from bot.engine.worker.spool_io import Samples, Spool
from bot.engine.worker.stft import Resynthesis, analyse, column_count, span, synthesise

BLOCK = 512
CONTEXT = 32
_SEEN_BINS = 1024
"""The network's input ends at 11 kHz; above that, the mean of the column's mask applies."""
_FLOOR = np.float32(1e-10)

Mask = NDArray[np.float32]
"""The voice's share of the power, shaped (2 channels, columns, _SEEN_BINS)."""


class Spleeter:
    """The two networks of Spleeter-2, loaded once."""

    def __init__(self, network: Network, *, threads: int) -> None:
        """`network` must run on one thread, because `threads` blocks are processed in parallel."""
        self._network = network
        self._threads = threads

    def separate(self, song: Spool) -> Iterator[dict[Stem, Samples]]:
        """Yield the voice and the rest in consecutive pieces, which add up to the song."""
        resynthesis = Resynthesis(frames=song.frames)
        with closing(self._voice(song)) as blocks:
            for block in blocks:
                start, vocals = resynthesis.add(block)
                mixture = song.read(start, start + vocals.shape[-1])
                yield {Stem.VOCALS: vocals, Stem.INSTRUMENTAL: mixture - vocals}

    def _voice(self, song: Spool) -> Generator[Samples, None, None]:
        """Yield the voice in order, while threads process the next blocks."""
        ahead: deque[Future[Samples]] = deque()
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="spleeter")
        try:
            for first, kept in _blocks(column_count(song.frames)):
                ahead.append(pool.submit(self._voice_in, song, first, kept))
                if len(ahead) > self._threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _voice_in(self, song: Spool, first: int, kept: slice) -> Samples:
        """Return the voice in the columns of one block that are kept."""
        spectra = analyse(song.read(*span(first, first + BLOCK)), threads=1)
        mask = self._mask(np.abs(spectra[..., :_SEEN_BINS]))[:, kept]
        voice = spectra[:, kept]
        voice[..., :_SEEN_BINS] *= mask
        voice[..., _SEEN_BINS:] *= mask.mean(axis=-1, keepdims=True)
        return synthesise(voice, threads=1)

    def _mask(self, magnitude: NDArray[np.float32]) -> Mask:
        """Return the voice's share of the power in each bin of the network's input."""
        outputs = self._network.run({"magnitude": magnitude[np.newaxis]})
        mask: Mask
        mask, rest = (np.square(output[0], out=output[0]) for output in outputs)
        rest += mask
        rest += _FLOOR
        mask += _FLOOR / 2
        mask /= rest
        return mask


def _blocks(columns: int) -> Iterator[tuple[int, slice]]:
    """Yield each block's first column and the slice of its columns that is kept."""
    step = BLOCK - 2 * CONTEXT
    for first in range(0, max(columns - 2 * CONTEXT, 1) if columns else 0, step):
        is_last = first + BLOCK >= columns
        yield first, slice(CONTEXT if first else 0, columns - first if is_last else -CONTEXT)


def prove(path: Path) -> None:
    """Run a block of noise through a graph; raises DamagedModel unless the results are valid."""
    shape = (1, 2, BLOCK, _SEEN_BINS)
    noise = np.random.default_rng(0).random(shape, np.float32)
    for output in Network(path, threads=1).run({"magnitude": noise}):
        if output.shape != shape or not np.all((output >= 0) & (output <= noise)):
            raise DamagedModel(f"{path.name} gives no valid result")
