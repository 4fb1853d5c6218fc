"""Runs the stages of one separation, in order, and writes the wanted stems as spools."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, assert_never

from bot.domain.recipes import Stem
from bot.engine.model_declaration import LocalModel, StageKind, StepDeclaration
from bot.engine.worker.models.drums_bass_split import BandSplit
from bot.engine.worker.models.htdemucs import HTDemucs
from bot.engine.worker.models.scnet import SCNet
from bot.engine.worker.models.spleeter import Spleeter
from bot.engine.worker.network import Network
from bot.engine.worker.spool_io import Place, Samples, Spool, SpoolWriter


class Stage(Protocol):
    """Splits a spool into stems that add up to it, piece by piece, in bounded memory."""

    def separate(self, song: Spool) -> Iterator[dict[Stem, Samples]]:
        """Yield the next frames of every stem, until the end of the song."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """One stage of a separation, and its declaration."""

    stage: Stage
    declared: StepDeclaration


def steps_of(
    model: LocalModel, weights: Path, *, threads: int, provider: str | None = None
) -> Sequence[Step]:
    """Load the model's network and return its steps; raises DamagedModel.

    `provider` is a graphics card's, if one is to be used.
    """
    return tuple(
        Step(_stage_of(declared.kind, weights, threads=threads, provider=provider), declared)
        for declared in model.steps
    )


def _stage_of(kind: StageKind, weights: Path, *, threads: int, provider: str | None) -> Stage:
    match kind:
        case StageKind.SPLEETER:
            # If memory were not kept, allocating pages would take a third of Spleeter's CPU time.
            return Spleeter(
                Network(weights, threads=1, keeps_memory=True, provider=provider), threads=threads
            )
        case StageKind.DRUMS_BASS_SPLIT:
            return BandSplit(threads=threads)
        case StageKind.HTDEMUCS:
            # Keeping the memory would double the peak.
            return HTDemucs(Network(weights, threads=threads, provider=provider), threads=threads)
        case StageKind.SCNET:
            return SCNet(Network(weights, threads=threads, provider=provider), threads=threads)
        case _:
            assert_never(kind)


class Separator:
    """Runs the steps of one model."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps

    def separate(
        self,
        song: Place,
        *,
        frames: int,
        stems: Iterable[Stem],
        into: Mapping[Stem, Place],
        report: Callable[[float], None],
    ) -> None:
        """Write each wanted stem as a spool to its place in `into`.

        A stem that another step splits further is written too, so it needs a place as well. After
        every piece, `report` gets the fraction done; an error that it raises ends the separation.
        The caller deletes the files written so far.
        """
        wanted = frozenset(stems)
        steps = self._needed(wanted)
        efforts = sum(step.declared.effort for step in steps)
        done = 0.0
        for step in steps:
            source = step.declared.source
            kept = {stem: into[stem] for stem in self._kept(step, wanted)}
            share = step.declared.effort / efforts
            with Spool(song if source is None else into[source], frames=frames) as spool:
                for fraction in _write(step.stage, spool, kept):
                    report(done + share * fraction)
            done += share

    def _needed(self, wanted: frozenset[Stem]) -> Sequence[Step]:
        """Return the steps that the wanted stems depend on, in order."""
        needed: list[Step] = []
        lacking = set(wanted)
        for step in reversed(self._steps):
            declared = step.declared
            if declared.gives & lacking:
                needed.insert(0, step)
                lacking -= declared.gives
                lacking |= {declared.source} if declared.source else set()
        if lacking:
            raise ValueError(f"not among this model's stems: {', '.join(sorted(lacking))}")
        return needed

    def _kept(self, step: Step, wanted: frozenset[Stem]) -> frozenset[Stem]:
        sources = {other.declared.source for other in self._steps if other.declared.source}
        return step.declared.gives & (wanted | sources)


def _write(stage: Stage, source: Spool, places: Mapping[Stem, Place]) -> Iterator[float]:
    """Run one stage, writing the stems that have a place; yield the fraction done."""
    written = 0
    with ExitStack() as files:
        writers = {stem: files.enter_context(SpoolWriter(place)) for stem, place in places.items()}
        for piece in stage.separate(source):
            for stem, writer in writers.items():
                writer.write(piece[stem])
            written += next(iter(piece.values())).shape[-1]
            yield written / source.frames
