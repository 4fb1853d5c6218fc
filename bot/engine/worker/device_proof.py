"""Finds out what a model's graph really runs on.

The runtime raises no error when a graphics card cannot be used: it computes on the CPU instead. A
driver may also compute wrongly. So the session is asked which device it uses, and one block is
compared with the CPU's.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.engine.hardware.interpreter import GPU_PROVIDERS
from bot.engine.model_declaration import DamagedModel
from bot.engine.worker.network import Network, available_providers

TRUSTED_DB = 60.0
"""The minimum agreement of a graphics card with the CPU."""
_FREE_LENGTHS = {"batch": 1}
_USUAL_LENGTH = 512
_GPU_TITLES = Path("/proc/driver/nvidia/gpus")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDevice:
    """What a graph runs on."""

    kind: str = "cpu"
    provider: str | None = None
    note: str = ""
    """Why it is not a graphics card."""


def find_device(weights: Path, *, threads: int, is_proved: bool = False) -> FoundDevice:
    """Return the graphics card that runs the graph as the CPU does, or else the CPU.

    `is_proved` says that an earlier process has compared the two. Raises DamagedModel and
    MemoryError.
    """
    built_in = available_providers()
    provider = next((name for name in GPU_PROVIDERS if name in built_in), None)
    if provider is None:
        return FoundDevice(note=f"onnxruntime offers only {', '.join(built_in)}")
    try:
        network = Network(weights, threads=threads, provider=provider)
    except DamagedModel:
        # This raises if the graph, and not the card, is at fault.
        Network(weights, threads=threads)
        return FoundDevice(note=f"{provider} cannot load the model")
    if network.runs_on != provider:
        return FoundDevice(note=f"{provider} was asked for, and the runtime uses {network.runs_on}")
    if not is_proved and (note := _disagreement(network, weights, threads=threads)):
        return FoundDevice(note=note)
    return FoundDevice(kind=GPU_PROVIDERS[provider], provider=provider)


def device_name() -> str:
    """Return the name of the first graphics card as its driver reports it."""
    for card in sorted(_GPU_TITLES.glob("*/information")):
        for line in card.read_text(errors="replace").splitlines():
            title, _, value = line.partition(":")
            if title == "Model":
                return value.strip()
    return "graphics card"


def _disagreement(network: Network, weights: Path, *, threads: int) -> str | None:
    """Compare one block of noise with the CPU; return what is wrong, if anything."""
    noise = np.random.default_rng(0)
    block = {
        name: noise.random(_lengths(shape), np.float32)
        for name, shape in network.input_shapes.items()
    }
    try:
        found = network.run(block)
    except RuntimeError as exc:
        return f"{network.runs_on} cannot run the model: {exc}"
    expected = Network(weights, threads=threads).run(block)
    agreement = min(map(_agreement_db, expected, found))
    if agreement >= TRUSTED_DB:
        return None
    return f"{network.runs_on} computes wrongly: {agreement:.0f} dB from the CPU"


def _lengths(shape: list[int | str | None]) -> tuple[int, ...]:
    return tuple(
        each if isinstance(each, int) else _FREE_LENGTHS.get(str(each), _USUAL_LENGTH)
        for each in shape
    )


def _agreement_db(expected: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    if expected.shape != found.shape or not np.isfinite(found).all():
        return -np.inf
    signal = np.square(expected, dtype=np.float64).sum()
    error = np.square(expected.astype(np.float64) - found).sum()
    return float(10 * np.log10(max(signal, 1e-30) / max(error, 1e-30)))
