"""Spleeter's two stems, block by block: a mask for the voice, and the rest as the residue.

The network sees 512 columns (12 s) at a time, as it was trained. Blocks overlap, and the 32 columns
at either side of a seam serve as context only: on a looped clip that is worth 0.05 dB. It runs one
block ahead of the transforms, which then add no wall time.
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
from bot.engine.worker.stft import Resynthesis, Spectra, analyse, column_count, span

BLOCK = 512
CONTEXT = 32
_SEEN_BINS = 1024
"""The network sees nothing above 11 kHz; there the mask is the column's mean below."""
_FLOOR = np.float32(1e-10)

Mask = NDArray[np.float32]
"""The voice's share of the power as (2 channels, columns, _SEEN_BINS)."""


class Spleeter:
    """The two networks of Spleeter-2, loaded once."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def separate(self, song: Spool) -> Iterator[dict[Stem, Samples]]:
        """Yield the voice and the rest in successive pieces that add up to the song."""
        resynthesis = Resynthesis(frames=song.frames, threads=1)
        with closing(self._voice(song)) as blocks:
            for block in blocks:
                start, vocals = resynthesis.add(block)
                mixture = song.read(start, start + vocals.shape[-1])
                yield {Stem.VOCALS: vocals, Stem.INSTRUMENTAL: mixture - vocals}

    def _voice(self, song: Spool) -> Generator[Spectra, None, None]:
        """Yield the voice in successive columns, while the network computes the next ones."""
        ahead: deque[tuple[Spectra, slice, Future[Mask]]] = deque()
        beside = ThreadPoolExecutor(1, thread_name_prefix="network")
        try:
            for first, kept in _blocks(column_count(song.frames)):
                spectra = analyse(song.read(*span(first, first + BLOCK)), threads=1)
                mask = beside.submit(self._mask, np.abs(spectra[..., :_SEEN_BINS]))
                ahead.append((spectra, kept, mask))
                if len(ahead) > 1:
                    yield _masked(*ahead.popleft())
            for each in ahead:
                yield _masked(*each)
        finally:
            beside.shutdown(cancel_futures=True)

    def _mask(self, magnitude: NDArray[np.float32]) -> Mask:
        """Return the voice's share of the power in each bin that the network sees."""
        outputs = self._network.run({"magnitude": magnitude[np.newaxis]})
        vocals, rest = (np.square(output[0]) for output in outputs)
        mask: Mask = (vocals + _FLOOR / 2) / (vocals + rest + _FLOOR)
        return mask


def _blocks(columns: int) -> Iterator[tuple[int, slice]]:
    """Yield each block's first column and which of the block's columns are kept."""
    step = BLOCK - 2 * CONTEXT
    for first in range(0, max(columns - 2 * CONTEXT, 1) if columns else 0, step):
        is_last = first + BLOCK >= columns
        yield first, slice(CONTEXT if first else 0, columns - first if is_last else -CONTEXT)


def _masked(spectra: Spectra, kept: slice, future: Future[Mask]) -> Spectra:
    """Return the voice's share in the kept columns, once the network has computed it."""
    mask, columns = future.result()[:, kept], spectra[:, kept]
    columns[..., :_SEEN_BINS] *= mask
    columns[..., _SEEN_BINS:] *= mask.mean(axis=-1, keepdims=True)
    return columns


def prove(path: Path) -> None:
    """Load a graph and run a block of noise; raises DamagedModel unless it returns masks."""
    shape = (1, 2, BLOCK, _SEEN_BINS)
    noise = np.random.default_rng(0).random(shape, np.float32)
    for output in Network(path, threads=1).run({"magnitude": noise}):
        if output.shape != shape or not np.all((output >= 0) & (output <= noise)):
            raise DamagedModel(f"{path.name} does not separate")
