"""The stage against the plain loop of bench/separation/scnet_reference.py."""

import numpy as np
import pytest

from bench.separation.scnet_reference import CHUNK, STEP, agreement_db, reference, small_graph
from bot.domain.recipes import Stem
from bot.engine.model_declaration import DamagedModel
from bot.engine.worker.models.scnet import SCNet
from bot.engine.worker.network import Network
from tests.unit.engine import nets

ADDING_UP = (Stem.DRUMS, Stem.BASS, Stem.OTHER, Stem.VOCALS)


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    return small_graph(tmp_path_factory.mktemp("scnet") / "net.onnx")


@pytest.fixture(scope="module")
def stage(graph):
    return SCNet(Network(graph, threads=1), threads=1)


def offset_song(frames):
    """Return a song whose mean is not zero, since the mean is part of the level."""
    return nets.song(frames) + np.float32(0.05)


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(5000, id="silence follows"),
        pytest.param(CHUNK // 2 + 1, id="its reflection follows"),
        pytest.param(CHUNK, id="the longest that is not continued", marks=pytest.mark.slow),
        pytest.param(CHUNK + 1, id="the shortest that is"),
        pytest.param(int(27.3 * 44_100), id="many segments", marks=pytest.mark.slow),
        pytest.param(4 * STEP + 1, id="ends right after a segment begins", marks=pytest.mark.slow),
    ],
)
def test_agrees_with_a_plain_loop_to_120_db_on_every_stem_and_at_both_ends(
    graph, stage, tmp_path, frames
):
    song = offset_song(frames)
    made = nets.run(stage, tmp_path / "song.f32", song)
    truth = reference(graph, song)
    ends = slice(None, 2000), slice(-2000, None)
    for stem, expected in truth.items():
        assert made[stem].shape == song.shape
        assert agreement_db(made[stem], expected) >= 120
        for end in ends:
            assert agreement_db(made[stem][:, end], expected[:, end]) >= 110


@pytest.mark.parametrize("frames", [1, 2, CHUNK + 12_345])
def test_the_stems_add_up_to_the_song(stage, tmp_path, frames):
    song = offset_song(frames)
    made = nets.run(stage, tmp_path / "song.f32", song)
    np.testing.assert_allclose(sum(made[stem] for stem in ADDING_UP), song, atol=1e-6)
    np.testing.assert_allclose(made[Stem.VOCALS] + made[Stem.INSTRUMENTAL], song, atol=1e-6)


def test_silence_stays_silent(stage, tmp_path):
    made = nets.run(stage, tmp_path / "song.f32", np.zeros((2, 50_000), np.float32))
    for stem in made.values():
        assert np.abs(stem).max() < 1e-6


def test_a_graph_for_another_network_is_refused(tmp_path):
    other = nets.spleeter(tmp_path / "net.onnx")
    with pytest.raises(DamagedModel, match="spectrum"):
        SCNet(Network(other, threads=1), threads=1)
