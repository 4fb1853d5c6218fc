"""SCNet's stage against the plain loop, on songs of several segments, which take seconds each."""

import pytest

from bench.separation.scnet_reference import CHUNK, STEP, small_graph
from bot.engine.worker.models.scnet import SCNet
from bot.engine.worker.network import Network
from tests.unit.engine.worker.models.test_scnet import assert_agrees


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(CHUNK, id="the longest that is not continued", marks=pytest.mark.slow),
        pytest.param(CHUNK + 1, id="the shortest that is"),
        pytest.param(int(27.3 * 44_100), id="many segments", marks=pytest.mark.slow),
        pytest.param(4 * STEP + 1, id="ends right after a segment begins", marks=pytest.mark.slow),
    ],
)
def test_agrees_with_a_plain_loop_to_120_db_on_every_stem_and_at_both_ends(tmp_path, frames):
    graph = small_graph(tmp_path / "net.onnx")
    stage = SCNet(Network(graph, threads=1, keeps_memory=True), threads=1)
    assert_agrees(graph, stage, tmp_path / "song.f32", frames)
