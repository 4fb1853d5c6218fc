"""The stage against the plain loop of bench/separation/scnet_reference.py.

tests/integration/engine/test_scnet_segments.py repeats this with songs of several segments.
"""

import numpy as np
import pytest

from bench.separation.scnet_reference import CHUNK, agreement_db, reference, small_graph
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
    return SCNet(Network(graph, threads=1, keeps_memory=True), threads=1)


def offset_song(frames):
    """Return a song whose mean is not zero, since the mean is part of the level."""
    return nets.song(frames) + np.float32(0.05)


def assert_agrees(graph, stage, path, frames):
    """Compare a song with what the loop makes of it."""
    song = offset_song(frames)
    made = nets.run(stage, path, song)
    truth = reference(graph, song)
    ends = slice(None, 2000), slice(-2000, None)
    for stem, expected in truth.items():
        assert made[stem].shape == song.shape
        assert agreement_db(made[stem], expected) >= 120
        for end in ends:
            assert agreement_db(made[stem][:, end], expected[:, end]) >= 110
    add_up(made, song)


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(5000, id="silence follows"),
        pytest.param(CHUNK // 2 + 1, id="its reflection follows"),
    ],
)
def test_agrees_with_a_plain_loop_to_120_db_on_every_stem_and_at_both_ends(
    graph, stage, tmp_path, frames
):
    assert_agrees(graph, stage, tmp_path / "song.f32", frames)


@pytest.mark.parametrize("frames", [1, 2])
def test_the_stems_of_a_moment_add_up_to_it(stage, tmp_path, frames):
    song = offset_song(frames)
    add_up(nets.run(stage, tmp_path / "song.f32", song), song)


def add_up(made, song):
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
