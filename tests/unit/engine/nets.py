"""Small networks with the inputs and outputs of the real ones, and spools to feed them."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from scipy import ndimage

from bot.engine.worker.models.htdemucs import SEGMENT
from bot.engine.worker.spool_io import Spool


def spleeter(path, *, reach=0, seed=0):
    """Write a network whose vocal mask is a random convolution over 2 * reach + 1 columns.

    Even with reach 0 the mask depends on the bin and the magnitude.
    """
    kernel = np.random.default_rng(seed).normal(0, 0.2, (2, 2, 2 * reach + 1, 5))
    shape = ["batch", 2, "frames", 1024]
    nodes = [
        helper.make_node("Conv", ["magnitude", "kernel"], ["sum"], pads=[reach, 2, reach, 2]),
        helper.make_node("Sigmoid", ["sum"], ["mask"]),
        helper.make_node("Mul", ["magnitude", "mask"], ["vocals"]),
        helper.make_node("Sub", ["magnitude", "vocals"], ["accompaniment"]),
    ]
    arrays = [numpy_helper.from_array(kernel.astype(np.float32), "kernel")]
    return _save(
        path,
        nodes,
        {"magnitude": shape},
        {"vocals": shape, "accompaniment": shape},
        arrays,
    )


def mask_by_hand(magnitude, *, reach, seed=0):
    """Return the power mask of `spleeter`'s network over a whole song at once."""
    kernel = np.random.default_rng(seed).normal(0, 0.2, (2, 2, 2 * reach + 1, 5))
    total = np.zeros(magnitude.shape)
    for out, into in np.ndindex(2, 2):
        total[out] += ndimage.correlate(magnitude[into], kernel[out, into], mode="constant")
    share = 1 / (1 + np.exp(-total))
    vocals, rest = (magnitude * share) ** 2, (magnitude * (1 - share)) ** 2
    return (vocals + 5e-11) / (vocals + rest + 1e-10)


def htdemucs(path, *, by_samples, by_spectrum):
    """Write a network whose sources are the mixture times a gain, in both branches."""
    segment, spectrum = [1, 2, SEGMENT], [1, 4, 2048, 336]
    nodes = [
        helper.make_node("Mul", ["x", "by_spectrum"], ["spectral"]),
        helper.make_node("Mul", ["mix", "by_samples"], ["temporal"]),
        helper.make_node("Identity", ["spectrum"], ["x"]),
    ]
    nodes = [nodes[2], nodes[0], nodes[1]]
    arrays = [
        numpy_helper.from_array(np.float32(by_spectrum).reshape(1, 4, 1, 1, 1), "by_spectrum"),
        numpy_helper.from_array(np.float32(by_samples).reshape(1, 4, 1, 1), "by_samples"),
    ]
    return _save(
        path,
        nodes,
        {"mix": segment, "spectrum": spectrum},
        {"spectral": [1, 4, 4, 2048, 336], "temporal": [1, 4, 2, SEGMENT]},
        arrays,
    )


def _save(path, nodes, inputs, outputs, arrays):
    def infos(shapes):
        return [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]

    graph = helper.make_graph(nodes, path.stem, infos(inputs), infos(outputs), arrays)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def song(frames, *, seed=1):
    """Return noise that swells and moves from left to right, as (2, frames)."""
    rng = np.random.default_rng(seed)
    swell = 0.1 + 0.1 * np.sin(np.arange(frames) / 3000)
    return (rng.normal(0, 1, (2, frames)) * [swell, swell[::-1]]).astype(np.float32)


def write_spool(path, samples):
    samples.T.astype("<f4").tofile(path)
    return path


def read_spool(path):
    return np.fromfile(path, "<f4").reshape(-1, 2).T


def run(stage, path, samples):
    """Run a stage over samples, and return its concatenated stems."""
    write_spool(path, samples)
    with Spool(path, frames=samples.shape[1]) as spool:
        pieces = list(stage.separate(spool))
    return {stem: np.concatenate([piece[stem] for piece in pieces], axis=1) for stem in pieces[0]}
