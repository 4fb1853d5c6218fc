"""Spleeter's two stems, block by block: a mask for the voice, and the rest as the residue.

The network sees 512 columns (12 s) at a time, as it was trained. Blocks overlap, and the 32
columns at either side of a seam serve as context only: on a looped clip that is worth 0.05 dB.
Every thread has a block of its own, which keeps all cores busy; a network spread over threads would
wait for the slowest of them in each of its layers.
"""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.domain.recipes import Stem
from bot.engine.model_catalogue import DamagedModel
from bot.engine.worker.network import Network
from bot.engine.worker.spool_io import Samples, Spool
from bot.engine.worker.stft import Resynthesis, analyse, column_count, span, synthesise

BLOCK = 512
CONTEXT = 32
_SEEN_BINS = 1024
"""The network sees nothing above 11 kHz; there the mask is the column's mean below."""
_FLOOR = np.float32(1e-10)

Mask = NDArray[np.float32]
"""The voice's share of the power as (2 channels, columns, _SEEN_BINS)."""


class Spleeter:
    """The two networks of Spleeter-2, loaded once."""

    def __init__(self, network: Network, *, threads: int) -> None:
        """Take a network that runs on one thread."""
        self._network = network
        self._threads = threads

    def separate(self, song: Spool) -> Iterator[dict[Stem, Samples]]:
        """Yield the voice and the rest in successive pieces that add up to the song."""
        resynthesis = Resynthesis(frames=song.frames)
        with closing(self._voice(song)) as blocks:
            for block in blocks:
                start, vocals = resynthesis.add(block)
                mixture = song.read(start, start + vocals.shape[-1])
                yield {Stem.VOCALS: vocals, Stem.INSTRUMENTAL: mixture - vocals}

    def _voice(self, song: Spool) -> Generator[Samples, None, None]:
        """Yield the voice in successive columns, while threads are at the next ones."""
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
        """Return the voice in the columns that are kept of one block."""
        spectra = analyse(song.read(*span(first, first + BLOCK)), threads=1)
        mask = self._mask(np.abs(spectra[..., :_SEEN_BINS]))[:, kept]
        voice = spectra[:, kept]
        voice[..., :_SEEN_BINS] *= mask
        voice[..., _SEEN_BINS:] *= mask.mean(axis=-1, keepdims=True)
        return synthesise(voice, threads=1)

    def _mask(self, magnitude: NDArray[np.float32]) -> Mask:
        """Return the voice's share of the power in each bin that the network sees."""
        outputs = self._network.run({"magnitude": magnitude[np.newaxis]})
        mask: Mask
        mask, rest = (np.square(output[0], out=output[0]) for output in outputs)
        rest += mask
        rest += _FLOOR
        mask += _FLOOR / 2
        mask /= rest
        return mask


def _blocks(columns: int) -> Iterator[tuple[int, slice]]:
    """Yield each block's first column and which of the block's columns are kept."""
    step = BLOCK - 2 * CONTEXT
    for first in range(0, max(columns - 2 * CONTEXT, 1) if columns else 0, step):
        is_last = first + BLOCK >= columns
        yield first, slice(CONTEXT if first else 0, columns - first if is_last else -CONTEXT)


def prove(path: Path) -> None:
    """Load a graph and run a block of noise; raises DamagedModel unless it returns masks."""
    shape = (1, 2, BLOCK, _SEEN_BINS)
    noise = np.random.default_rng(0).random(shape, np.float32)
    for output in Network(path, threads=1).run({"magnitude": noise}):
        if output.shape != shape or not np.all((output >= 0) & (output <= noise)):
            raise DamagedModel(f"{path.name} does not separate")
