"""Runs an ONNX graph on the CPU, tuned for CPU time and memory rather than wall time."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.engine.model_catalogue import DamagedModel

# The official builds report their use to their maker unless told not to before they load.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime


class Network:
    """One loaded graph."""

    def __init__(self, path: Path, *, threads: int, keeps_memory: bool = False) -> None:
        """Load a graph; one that keeps its memory does not ask the system for it in every run."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Threads that spin while they wait cost a quarter of a run's CPU time and save none.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_cpu_mem_arena = keeps_memory
        options.enable_mem_pattern = False
        options.log_severity_level = 3
        # The runtime's errors have no common base class.
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as exc:
            raise DamagedModel(f"{path.name} cannot be loaded") from exc

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Return the graph's outputs in their order."""
        return list(self._session.run(None, dict(inputs)))

    @property
    def input_names(self) -> list[str]:
        return [each.name for each in self._session.get_inputs()]
