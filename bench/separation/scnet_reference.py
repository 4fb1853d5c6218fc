"""The steps around SCNet's network as a plain loop over a whole song, in double precision.

Follows ZFTurbo's Music-Source-Separation-Training with one segment per batch, except that the
song's mean is added to no stem, and the remainder is added to `other`. The network is small and
random, with the inputs and outputs of the real one.
"""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from bot.domain.recipes import Stem
from bot.engine.worker.models.scnet import SCNet
from bot.engine.worker.network import Network
from bot.engine.worker.spool_io import Spool

CHUNK = 11 * 44_100
STEP = CHUNK // 2
_FADE = CHUNK // 10
_PADDED = 486_400
_COLUMN, _HOP = 4096, 1024
_BINS, _COLUMNS = 2049, 476
_ORDER = (Stem.DRUMS, Stem.BASS, Stem.OTHER, Stem.VOCALS)
_END = 2000

Exact = NDArray[np.float64]


def small_graph(path: Path, *, seed: int = 0) -> Path:
    """Write a random network whose output depends on the level and on neighbouring columns."""
    rng = np.random.default_rng(seed)
    nodes = [
        helper.make_node("Conv", ["mix_spec", "along"], ["near"], group=4, pads=[0, 1, 0, 1]),
        helper.make_node("Tanh", ["near"], ["bent"]),
        helper.make_node("Conv", ["bent", "across"], ["stems_spec"]),
    ]
    kernels = {"along": (4, 1, 1, 3), "across": (16, 4, 1, 1)}
    arrays = [
        numpy_helper.from_array(rng.normal(0, 0.4, shape).astype(np.float32), name)
        for name, shape in kernels.items()
    ]
    ends = {"mix_spec": 4, "stems_spec": 16}
    before, after = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, planes, _BINS, _COLUMNS])
        for name, planes in ends.items()
    )
    graph = helper.make_graph(nodes, "scnet", [before], [after], arrays)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def reference(graph: Path, song: NDArray[np.float32]) -> dict[Stem, Exact]:
    """Separate a whole song at once."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # more threads would mostly spin on so small a network
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    mixture = song.astype(np.float64)
    mono = mixture.mean(axis=0)
    line = (mixture - mono.mean()) / mono.std()
    border = STEP if song.shape[1] > 2 * STEP else 0
    if border:
        line = np.pad(line, ((0, 0), (border, border)), mode="reflect")
    total, weights = np.zeros((4, *line.shape)), np.zeros(line.shape[1])
    for start in range(0, line.shape[1], STEP):
        part = line[:, start : start + CHUNK]
        length = part.shape[1]
        lacking = ((0, 0), (0, CHUNK - length))
        is_mirrored = length > CHUNK // 2
        part = np.pad(part, lacking, mode="reflect") if is_mirrored else np.pad(part, lacking)
        window = np.ones(CHUNK)
        if start:
            window[:_FADE] = np.linspace(0, 1, _FADE)
        window[-_FADE:] = np.linspace(1, 0, _FADE)
        window = window[:length]
        total[..., start : start + length] += _through(session, part)[..., :length] * window
        weights[start : start + length] += window
    sources = (total / weights * mono.std())[..., border : border + song.shape[1]]
    stems = dict(zip(_ORDER, sources, strict=True))
    stems[Stem.OTHER] = stems[Stem.OTHER] + mixture - sources.sum(axis=0)
    return stems | {Stem.INSTRUMENTAL: mixture - stems[Stem.VOCALS]}


def _through(session: onnxruntime.InferenceSession, part: Exact) -> Exact:
    """Send one chunk through the network; a sample is the mean of the columns that cover it."""
    padded = np.pad(part, ((0, 0), (0, _PADDED - CHUNK)))
    padded = np.pad(padded, ((0, 0), (_COLUMN // 2, _COLUMN // 2)), mode="reflect")
    places = range(0, padded.shape[1] - _COLUMN + 1, _HOP)
    spectra = [np.fft.rfft(padded[:, at : at + _COLUMN]) / 64 for at in places]
    left, right = np.moveaxis(np.stack(spectra), 0, -1)
    planes = np.stack([left.real, left.imag, right.real, right.imag])
    (answer,) = session.run(None, {"mix_spec": planes[np.newaxis].astype(np.float32)})
    line, cover = np.zeros((8, padded.shape[1])), np.zeros(padded.shape[1])
    for at in places:
        cover[at : at + _COLUMN] += 1
    for channel, (real, imaginary) in zip(line, answer.reshape(8, 2, *left.shape), strict=True):
        columns = np.fft.irfft((real.T + 1j * imaginary.T.astype(float)) * 64)
        for at, column in zip(places, columns, strict=True):
            channel[at : at + _COLUMN] += column
    mean: Exact = (line / cover).reshape(4, 2, -1)
    return mean[..., _COLUMN // 2 : _COLUMN // 2 + CHUNK]


def agreement_db(made: NDArray[np.float32], truth: Exact) -> float:
    """Return the ratio of a stem's energy to that of the difference, in dB."""
    difference = max(float(np.sum((made - truth) ** 2)), 1e-30)
    return float(10 * np.log10(max(float(np.sum(truth**2)), 1e-30) / difference))


def worst_agreement_db(*, threads: int, duration_s: float = 27.3) -> float:
    """Return how well the stage and the loop agree on the worst stem of a song of noise."""
    frames = int(duration_s * 44_100)
    song = np.random.default_rng(1).normal(0.05, 0.2, (2, frames)).astype(np.float32)
    with tempfile.TemporaryDirectory(prefix="stemcord-bench-") as scratch:
        graph = small_graph(Path(scratch) / "net.onnx")
        path = Path(scratch) / "song.f32"
        song.T.astype("<f4").tofile(path)
        stage = SCNet(Network(graph, threads=threads), threads=threads)
        with Spool(path, frames=frames) as spool:
            pieces = list(stage.separate(spool))
        truth = reference(graph, song)
    made = {stem: np.concatenate([piece[stem] for piece in pieces], axis=1) for stem in truth}
    parts = (slice(None), slice(None, _END), slice(-_END, None))
    return min(
        agreement_db(made[stem][:, part], truth[stem][:, part]) for stem in truth for part in parts
    )
