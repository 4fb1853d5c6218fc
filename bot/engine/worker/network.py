"""Runs an ONNX graph, on the CPU tuned for CPU time and memory instead of latency."""

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

_CPU = "CPUExecutionProvider"
_GPU_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "CUDAExecutionProvider": {
        "arena_extend_strategy": "kSameAsRequested",
        # The default tries every algorithm for each convolution and each new shape.
        "cudnn_conv_algo_search": "HEURISTIC",
        "cudnn_conv_use_max_workspace": "0",
        "use_tf32": "0",
    }
}
_OUT_OF_MEMORY = (
    "Failed to allocate memory",
    "CUDA failure 2",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "out of memory",
)
"""Parts of the runtime's messages when a graphics card has no memory left."""


def available_providers() -> list[str]:
    """Return the providers that this build of the runtime has, whether they work or not."""
    if hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # finds CUDA's libraries installed by pip
    return list(onnxruntime.get_available_providers())


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

    def __init__(
        self,
        path: Path,
        *,
        threads: int,
        keeps_memory: bool = False,
        provider: str | None = None,
    ) -> None:
        """Load a graph; with `keeps_memory`, memory is kept from one run to the next.

        `provider` is a graphics card's. `runs_on` tells whether it is used. Raises DamagedModel,
        and MemoryError if the card has too little.
        """
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
        wanted = [] if provider is None else [(provider, dict(_GPU_OPTIONS.get(provider, {})))]
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=[*wanted, _CPU])
        except Exception as exc:  # onnxruntime's errors have no other common base
            if _is_out_of_memory(exc):
                raise MemoryError(str(exc)) from exc
            raise DamagedModel(f"{path.name} cannot be loaded") from exc

    def run(self, inputs: Mapping[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Return the graph's outputs in order.

        Raises MemoryError if a graphics card has too little, after which the graph may be unusable.
        """
        try:
            return list(self._session.run(None, dict(inputs)))
        except Exception as exc:  # onnxruntime's errors have no other common base
            if _is_out_of_memory(exc):
                raise MemoryError(str(exc)) from exc
            raise RuntimeError(str(exc)) from exc

    @property
    def runs_on(self) -> str:
        """The provider that the runtime chose."""
        return str(self._session.get_providers()[0])

    @property
    def input_shapes(self) -> dict[str, list[int | str | None]]:
        """The inputs' shapes by name; a length that is not fixed has a name."""
        return {each.name: list(each.shape) for each in self._session.get_inputs()}

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


def _is_out_of_memory(cause: Exception) -> bool:
    return any(words in str(cause) for words in _OUT_OF_MEMORY)
