"""SCNet with the other normalisation that a file may expect: that of each segment's spectrum.

The two kinds of files look alike, and the wrong one causes no error but lowers the quality.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.material import Audio
from bot.domain.recipes import Stem
from bot.engine.worker.models.scnet import SCNet
from bot.engine.worker.network import Network
from bot.engine.worker.spool_io import Spool

_SILENCE = np.float32(1e-5)


class SpectrumLevelled(Network):
    """A graph whose input is normalised here, and whose outputs are scaled back."""

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Return the graph's outputs at the level of the inputs."""
        ((name, planes),) = inputs.items()
        mean, deviation = planes.mean(), planes.std() + _SILENCE
        return [
            output * deviation + mean for output in super().run({name: (planes - mean) / deviation})
        ]


def split_levelled(weights: Path, song: Audio, *, threads: int) -> dict[Stem, Audio]:
    """Separate a song in this process, with each segment's spectrum normalised."""
    stage = SCNet(SpectrumLevelled(weights, threads=threads), threads=threads)
    with tempfile.TemporaryDirectory(prefix="stemcord-bench-") as scratch:
        path = Path(scratch) / "song.f32"
        song.T.astype("<f4").tofile(path)
        with Spool(path, frames=song.shape[1]) as spool:
            pieces = list(stage.separate(spool))
    return {stem: np.concatenate([piece[stem] for piece in pieces], axis=1) for stem in pieces[0]}
