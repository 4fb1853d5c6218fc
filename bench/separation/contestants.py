"""The models that a benchmark compares: each with its worker, and what the worker used."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from bench.material import Audio
from bot.cli.opening.studio_opening import studio_python
from bot.config import load_settings
from bot.domain.errors import EngineFailed, ModelUnavailable
from bot.domain.recipes import Stem
from bot.engine.engine import Engine
from bot.engine.model_catalogue import MODELS
from bot.engine.model_declaration import StageKind
from bot.engine.protocol import Ready
from bot.engine.studio.studio_catalogue import StudioModel, read_catalogue
from bot.engine.studio.studio_engine import StudioEngine
from bot.engine.weights import Weights, sha256_of
from bot.engine.worker.models import htdemucs, scnet, spleeter

MIXTURE = "mixture"
"""The song itself in place of every stem."""

STUDIO = "studio:"
"""The prefix of the studio's models."""

_KNOWN = frozenset({Stem.VOCALS, Stem.DRUMS, Stem.BASS, Stem.OTHER, Stem.INSTRUMENTAL})

OVERLAPS: Mapping[StageKind, float] = {
    StageKind.SPLEETER: spleeter.BLOCK / (spleeter.BLOCK - 2 * spleeter.CONTEXT),
    StageKind.HTDEMUCS: htdemucs.SEGMENT / htdemucs.STRIDE,
    StageKind.SCNET: scnet.OVERLAP,
}
"""How many segments cover each sample, on average."""


class NotHere(Exception):
    """A model cannot be run on this machine; the text says why."""


class Splitter(Protocol):
    """A separation engine, with its worker."""

    @property
    def pid(self) -> int | None:
        """The worker's process id."""
        ...

    @property
    def device(self) -> str:
        """The device that the worker reported."""
        ...

    async def separate(self, song: Path, frames: int, stems: Iterable[Stem], into: Path) -> None:
        """Write each stem as a spool into a folder."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """A model, its running engine, and what identifies its results."""

    name: str
    stems: frozenset[Stem]
    overlap: str
    sha256: str
    splitter: Splitter

    async def split(self, song: Audio) -> "Split":
        """Separate a song and measure what that took."""
        with tempfile.TemporaryDirectory(prefix="stemcord-bench-") as scratch:
            folder = Path(scratch)
            spool = folder / "song.f32"
            song.T.astype("<f4").tofile(spool)
            before = _used(self.splitter.pid)
            begun = os.times().elapsed
            await self.splitter.separate(spool, song.shape[1], self.stems, folder)
            wall_s = os.times().elapsed - begun
            after = _used(self.splitter.pid)
            stems = {stem: _read(folder / f"{stem}.f32") for stem in self.stems}
        return Split(
            stems=stems, cpu_s=after.cpu_s - before.cpu_s, wall_s=wall_s, peak_mib=after.peak_mib
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The stems of one song, and the cost."""

    stems: Mapping[Stem, Audio]
    cpu_s: float
    wall_s: float
    peak_mib: float


@asynccontextmanager
async def contestant(name: str, *, models_dir: Path, threads: int) -> AsyncIterator[Contestant]:
    """Open a model by its value of `STEMCORD_LOCAL_MODEL`, or as `studio:NAME`; raises NotHere."""
    if name == MIXTURE:
        yield Contestant(name=name, stems=_KNOWN, overlap="-", sha256="-", splitter=_Unsplit())
        return
    opened = _studio_model if name.startswith(STUDIO) else _embedded_model
    async with opened(name, models_dir, threads) as each:
        yield each


@asynccontextmanager
async def with_graph(name: str, graph: Path, *, threads: int) -> AsyncIterator[Contestant]:
    """Open a model of the embedded engine with a graph in place of its file; raises NotHere."""
    if name not in MODELS:
        raise NotHere(f"no model is called {name}")
    with tempfile.TemporaryDirectory(prefix="stemcord-bench-") as folder:
        weights = Weights(MODELS[name], Path(folder))
        with weights.workspace() as place:
            try:
                made = shutil.copyfile(graph, place / graph.name)
            except OSError as exc:
                raise NotHere(f"{graph} cannot be read: {exc.strerror}") from exc
            weights.install(made, notice="")
        async with _embedded_model(name, Path(folder), threads) as each:
            yield each


@asynccontextmanager
async def _embedded_model(name: str, models_dir: Path, threads: int) -> AsyncIterator[Contestant]:
    if name not in MODELS:
        raise NotHere(f"no model is called {name}")
    model = MODELS[name]
    weights = Weights(model, models_dir)
    if not weights.is_present():
        raise NotHere(f"its file is not in {models_dir}")
    engine = Engine(models_dir=models_dir, model=model, threads=threads)
    try:
        yield Contestant(
            name=name,
            stems=model.stems,
            overlap=f"{OVERLAPS[model.steps[0].kind]:.2f}",
            sha256=sha256_of(weights.path),
            splitter=_Engine(engine, engine.separate),
        )
    finally:
        await engine.close()


@asynccontextmanager
async def _studio_model(name: str, models_dir: Path, threads: int) -> AsyncIterator[Contestant]:
    """Open a model of the studio that STEMCORD_STUDIO_ACCEPT names."""
    settings = load_settings()
    python = studio_python(settings)
    if python is None:
        raise NotHere("there is no interpreter for the studio: make studio")
    catalogue = read_catalogue(models_dir)
    accepted = catalogue.accepted(settings.studio_accept)
    known = {model.name: model for model in accepted}
    model = known.get(name.removeprefix(STUDIO))
    if model is None:
        raise NotHere("STEMCORD_STUDIO_ACCEPT does not name it")
    engine = StudioEngine(
        python=python,
        catalogue=catalogue,
        models=(model,),
        device=settings.device,
        threads=threads,
    )
    try:
        await engine.warm_up()
        if model.name not in engine.models:
            missing = engine.declared.missing if engine.declared else ()
            raise NotHere("; ".join(each.reason for each in missing) or "its worker lacks it")
        yield Contestant(
            name=name,
            stems=model.stems,
            overlap="as configured",
            sha256=_hash_of(model),
            splitter=_Engine(engine, partial(engine.separate, engine.models[model.name])),
        )
    except (EngineFailed, ModelUnavailable) as exc:
        raise NotHere(str(exc)) from exc
    finally:
        await engine.close()


def _hash_of(model: StudioModel) -> str:
    """Return a hash of the hashes of all files that a model needs."""
    hashes = [file.sha256 for network in model.networks for file in network.files]
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


class _Unsplit:
    pid = None
    device = "-"

    async def separate(self, song: Path, frames: int, stems: Iterable[Stem], into: Path) -> None:
        del frames
        for stem in stems:
            shutil.copyfile(song, into / f"{stem}.f32")


class _Engine:
    def __init__(
        self, engine: Engine | StudioEngine, separate: Callable[..., Awaitable[object]]
    ) -> None:
        self._engine = engine
        self._separate = separate

    @property
    def pid(self) -> int | None:
        return self._engine.pid

    @property
    def device(self) -> str:
        return _device(self._engine.declared)

    async def separate(self, song: Path, frames: int, stems: Iterable[Stem], into: Path) -> None:
        await self._separate(song, frames=frames, stems=stems, into=into, progress=lambda _: None)


def _device(declared: Ready | None) -> str:
    return f"{declared.device} ({declared.device_name})" if declared else "-"


@dataclass(frozen=True, slots=True)
class _Used:
    cpu_s: float
    peak_mib: float


def _used(pid: int | None) -> _Used:
    """Return what a worker has used since its start; nothing if there is none yet."""
    if pid is None:
        return _Used(0.0, 0.0)
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    status = Path(f"/proc/{pid}/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return _Used(ticks / os.sysconf("SC_CLK_TCK"), int(peak.split()[1]) / 1024)


def _read(spool: Path) -> Audio:
    return np.fromfile(spool, "<f4").reshape(-1, 2).T
