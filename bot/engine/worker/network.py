"""Runs an ONNX graph on the CPU, tuned for CPU time and memory instead of latency."""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.engine.model_declaration import DamagedModel

# The official builds send telemetry unless this is set before they are loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime


@cache
def _share_thrifty_arena() -> None:
    """Make the sessions of this process share an arena that grows only as needed.

    A session's default arena doubles each time it grows, which wastes 40 MiB.
    """
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu",
        onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR,
        0,
        onnxruntime.OrtMemType.DEFAULT,
    )
    no_limit, as_requested, default = 0, 1, -1
    limits = onnxruntime.OrtArenaCfg(no_limit, as_requested, default, default)
    onnxruntime.create_and_register_allocator(memory, limits)


class Network:
    """One loaded graph."""

    def __init__(self, path: Path, *, threads: int, keeps_memory: bool = False) -> None:
        """Load a graph; with `keeps_memory`, memory is kept from one run to the next."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Spinning while waiting would cost a quarter of a run's CPU time and save no wall time.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_cpu_mem_arena = keeps_memory
        options.enable_mem_pattern = False
        if keeps_memory:
            _share_thrifty_arena()
            options.add_session_config_entry("session.use_env_allocators", "1")
        options.log_severity_level = 3
        # The runtime's errors have no common base class.
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as exc:  # onnxruntime's errors have no common base but this
            raise DamagedModel(f"{path.name} cannot be loaded") from exc

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Return the graph's outputs in order."""
        return list(self._session.run(None, dict(inputs)))

    def takes(self, *shape: int) -> bool:
        """Whether the graph has one input, of this shape as far as the graph fixes it."""
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or len(inputs[0].shape) != len(shape):
            return False
        pairs = zip(inputs[0].shape, shape, strict=True)
        return all(found in {wanted, None} or isinstance(found, str) for found, wanted in pairs)

    @property
    def input_names(self) -> list[str]:
        return [each.name for each in self._session.get_inputs()]
