import threading
from typing import Any

import numpy as np
import pytest
from scipy import fft

from bot.domain.recipes import Stem
from bot.engine.model_declaration import DamagedModel
from bot.engine.worker.models.spleeter import BLOCK, CONTEXT, Spleeter, prove
from bot.engine.worker.network import Network
from bot.engine.worker.spool_io import Spool
from bot.engine.worker.stft import COLUMN, HOP, LEAD
from tests.unit.engine import nets

STEP = BLOCK - 2 * CONTEXT
EDGES = [0, 1, 4095, 4096, (BLOCK - 3) * HOP, (BLOCK - 3) * HOP + 1, (BLOCK + STEP - 3) * HOP + 1]


@pytest.fixture
def spleeter(tmp_path):
    def load(reach):
        path = nets.spleeter(tmp_path / "net.onnx", reach=reach)
        return Spleeter(Network(path, threads=1), threads=2)

    return load


def voice_by_hand(samples, *, reach):
    """Separate a whole song at once, in double precision and column by column."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(COLUMN) / COLUMN)
    frames = samples.shape[1]
    padded = np.pad(samples.astype(float), ((0, 0), (LEAD, COLUMN + HOP)))
    starts = range(0, frames + LEAD, HOP)
    spectra = np.stack([fft.rfft(padded[:, s : s + COLUMN] * window) for s in starts], axis=1)
    known = nets.mask_by_hand(np.abs(spectra[..., :1024]), reach=reach)
    mask = np.empty(spectra.shape)
    mask[..., :1024] = known
    mask[..., 1024:] = known.mean(axis=-1, keepdims=True)
    summed, weight = np.zeros(padded.shape), np.zeros(padded.shape[1])
    for column, s in enumerate(starts):
        summed[:, s : s + COLUMN] += fft.irfft(spectra[:, column] * mask[:, column]) * window
        weight[s : s + COLUMN] += window**2
    return (summed / np.maximum(weight, 1e-9))[:, LEAD : LEAD + frames]


def test_blocks_give_what_the_whole_song_at_once_gives(spleeter, tmp_path):
    reach = 4
    samples = nets.song((BLOCK + 40) * HOP + 17)
    stems = nets.run(spleeter(reach), tmp_path / "song.f32", samples)
    expected = voice_by_hand(samples, reach=reach)
    np.testing.assert_allclose(stems[Stem.VOCALS], expected, atol=2e-5)


@pytest.mark.parametrize("frames", EDGES[1:])
def test_voice_and_instrumental_are_as_long_as_the_song_and_add_up_to_it(
    spleeter, tmp_path, frames
):
    samples = nets.song(frames)
    stems = nets.run(spleeter(0), tmp_path / "song.f32", samples)
    assert stems[Stem.VOCALS].shape == samples.shape
    np.testing.assert_allclose(sum(stems.values()), samples, atol=1e-6)


def test_a_network_that_is_sure_of_nothing_leaves_silence_silent(spleeter, tmp_path):
    stems = nets.run(spleeter(0), tmp_path / "song.f32", np.zeros((2, 5000), np.float32))
    assert not any(stem.any() for stem in stems.values())


class Meeting:
    """A network whose calls wait for each other, so that blocks must run in parallel."""

    def __init__(self, size):
        self.here = threading.Barrier(size, timeout=10)

    def run(self, inputs):
        self.here.wait()
        half = inputs["magnitude"] / 2
        return [half, half.copy()]


class CountingNetwork:
    """A network that halves its input and counts the blocks that it has begun."""

    def __init__(self):
        self.begun = 0
        self.changed = threading.Condition()

    def run(self, inputs):
        with self.changed:
            self.begun += 1
            self.changed.notify_all()
        half = inputs["magnitude"] / 2
        return [half, half.copy()]

    def has_begun(self, blocks):
        with self.changed:
            return self.changed.wait_for(lambda: self.begun >= blocks, timeout=10)


def test_the_network_is_at_the_next_block_while_one_is_written(tmp_path):
    network: Any = CountingNetwork()
    samples = nets.song(4 * BLOCK * HOP)
    path = nets.write_spool(tmp_path / "song.f32", samples)
    with Spool(path, frames=samples.shape[1]) as song:
        separating: Any = Spleeter(network, threads=1)
        pieces = separating.separate(song)
        next(pieces)
        assert network.has_begun(2)
        pieces.close()
    assert network.begun == 2, "blocks that are no longer needed are not begun"


def test_every_thread_has_a_block_of_its_own(tmp_path):
    samples = nets.song((BLOCK + 3 * STEP - 3) * HOP)
    path = nets.write_spool(tmp_path / "song.f32", samples)
    together: Any = Meeting(2)
    with Spool(path, frames=samples.shape[1]) as song:
        pieces = list(Spleeter(together, threads=2).separate(song))
    assert sum(piece[Stem.VOCALS].shape[1] for piece in pieces) == samples.shape[1]


def test_proves_a_network_that_masks(tmp_path):
    prove(nets.spleeter(tmp_path / "net.onnx"))


def test_refuses_a_file_that_is_no_network(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"not a graph")
    with pytest.raises(DamagedModel):
        prove(tmp_path / "net.onnx")
