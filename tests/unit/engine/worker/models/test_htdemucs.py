import numpy as np
import pytest

from bot.domain.recipes import Stem
from bot.engine.worker.models.four_stems import SOURCES
from bot.engine.worker.models.htdemucs import SEGMENT, STRIDE, HTDemucs
from bot.engine.worker.network import Network
from tests.unit.engine import nets

GAINS = dict(zip(SOURCES, (0.1, 0.2, 0.3, 0.4), strict=True))
ADDING_UP = (Stem.DRUMS, Stem.BASS, Stem.OTHER, Stem.VOCALS)


@pytest.fixture
def separate(tmp_path):
    def run(samples, *, by_samples=(0, 0, 0, 0), by_spectrum=(0, 0, 0, 0)):
        path = nets.htdemucs(tmp_path / "net.onnx", by_samples=by_samples, by_spectrum=by_spectrum)
        stage = HTDemucs(Network(path, threads=1, keeps_memory=True), threads=1)
        return nets.run(stage, tmp_path / "song.f32", samples)

    return run


def add_up(stems, samples):
    assert {stem.shape for stem in stems.values()} == {samples.shape}
    np.testing.assert_allclose(sum(stems[stem] for stem in ADDING_UP), samples, atol=1e-5)
    np.testing.assert_allclose(stems[Stem.VOCALS] + stems[Stem.INSTRUMENTAL], samples, atol=1e-5)


@pytest.mark.parametrize("frames", [1, SEGMENT + 1])
def test_stems_are_as_long_as_the_song_and_add_up_to_it(separate, frames):
    samples = nets.song(frames)
    add_up(separate(samples, by_samples=(0.1, 0.5, 0.2, 0.7)), samples)


def test_overlapping_segments_blend_without_a_trace(separate):
    samples = nets.song(SEGMENT + STRIDE + 12_345)
    samples -= samples.mean()
    stems = separate(samples, by_samples=tuple(GAINS.values()))
    for stem, gain in GAINS.items():
        np.testing.assert_allclose(stems[stem], gain * samples, atol=1e-5, err_msg=stem)
    add_up(stems, samples)


def test_the_spectral_branch_comes_back_as_the_samples_it_was_made_of(separate):
    time = np.arange(2 * SEGMENT) / 44_100
    samples = np.stack([np.sin(880 * time), 0.5 * np.sin(3000 * time)]).astype(np.float32)
    stems = separate(samples, by_spectrum=(0, 0, 0, 1))
    # A segment's outermost columns are inaccurate by design. The blend gives them little weight.
    inner = slice(8192, STRIDE - 8192)
    np.testing.assert_allclose(stems[Stem.VOCALS][:, inner], samples[:, inner], atol=1e-3)


def test_what_the_network_leaves_over_is_in_other(separate):
    samples = nets.song(50_000)
    samples -= samples.mean()
    stems = separate(samples, by_samples=(0.5, 0, 0, 0))
    np.testing.assert_allclose(stems[Stem.OTHER], 0.5 * samples, atol=1e-5)


def test_silence_stays_silent(separate):
    stems = separate(np.zeros((2, 1000), np.float32), by_samples=(1, 1, 1, 1))
    assert not any(stem.any() for stem in stems.values())
