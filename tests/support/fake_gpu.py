"""An environment whose onnxruntime pretends to have a graphics card.

Its graph is Spleeter's: the voice has a quarter of the magnitude, and the accompaniment has the
rest.
"""

import sys
import sysconfig
import venv
from enum import StrEnum
from pathlib import Path


class Card(StrEnum):
    """How the graphics card behaves."""

    WORKS = "works"
    ABSENT = "absent"
    """The build has no provider for a graphics card."""
    LIES = "lies"
    """The provider is built in, but the session runs on the CPU."""
    FAILS = "fails"
    """The session cannot be made."""
    WRONG = "wrong"
    """It computes wrong results."""
    FULL = "full"
    """It never has any memory."""
    SMALL = "small"
    """It has memory for one block at a time."""


_RUNTIME = """
import threading, time
from pathlib import Path

CARD = Path(__file__).with_name("card.txt").read_text()
GPU, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_under_way = threading.Semaphore(1)


class RuntimeException(Exception):
    pass


class _Anything:
    def __init__(self, *arguments):
        pass

    def __getattr__(self, name):
        return lambda *arguments: None


OrtMemoryInfo = OrtArenaCfg = SessionOptions = _Anything


class OrtAllocatorType:
    ORT_ARENA_ALLOCATOR = 0


class OrtMemType:
    DEFAULT = 0


def create_and_register_allocator(*arguments):
    pass


def get_available_providers():
    return [CPU] if CARD == "absent" else [GPU, CPU]


class _Input:
    name, shape = "magnitude", ["batch", 2, "frames", 1024]


class InferenceSession:
    def __init__(self, path, options, providers):
        names = [each if isinstance(each, str) else each[0] for each in providers]
        if GPU in names and CARD == "fails":
            raise RuntimeException("CUDA failure 35: driver is too old")
        self._on = GPU if GPU in names and CARD != "lies" else CPU

    def get_providers(self):
        return [self._on] if self._on == CPU else [GPU, CPU]

    def get_inputs(self):
        return [_Input]

    def run(self, names, inputs):
        magnitude = inputs["magnitude"]
        share = 0.25
        if self._on == GPU:
            if CARD == "full":
                raise RuntimeException("Failed to allocate memory for requested buffer of size 1")
            if CARD == "small":
                self._alone()
            share = 0.26 if CARD == "wrong" else 0.25
        return [magnitude * share, magnitude * (1 - share)]

    def _alone(self):
        if not _under_way.acquire(blocking=False):
            raise RuntimeException("CUDA failure 2: out of memory")
        try:
            time.sleep(1.5)
        finally:
            _under_way.release()
"""


def make_environment(folder: Path, card: Card, *, distributions: tuple[str, ...] = ()) -> Path:
    """Create the environment; return its interpreter.

    `distributions` are those that say that they contain onnxruntime, by default onnxruntime-gpu.
    """
    venv.create(folder, symlinks=True)
    [packages] = folder.glob("lib/python*/site-packages")
    runtime = packages / "onnxruntime"
    runtime.mkdir()
    (runtime / "__init__.py").write_text(_RUNTIME)
    (runtime / "card.txt").write_text(card)
    names = distributions or ("onnxruntime-gpu",)
    for name in names:
        info = packages / f"{name.replace('-', '_')}-1.31.1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.31.1\n")
    # numpy and scipy are this interpreter's, whose own onnxruntime must not be counted.
    (packages / "sitecustomize.py").write_text(
        "import importlib.metadata, sys\n"
        f"sys.path.append({sysconfig.get_path('purelib')!r})\n"
        f"importlib.metadata.packages_distributions = lambda: {{'onnxruntime': {list(names)!r}}}\n"
    )
    return folder / "bin" / Path(sys.executable).name


def script(path: Path, text: str) -> Path:
    """Write a program that is not a Python interpreter."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path
