import os

import numpy as np
import pytest

from bench.separation.scnet_reference import small_graph
from bot.domain.recipes import Stem
from bot.engine.model_catalogue import MODELS, SPLEETER
from bot.engine.model_declaration import StageKind, StepDeclaration
from bot.engine.worker.separation import Separator, Step, steps_of
from tests.unit.engine import nets

V, D = Stem.VOCALS, Stem.DRUMS
REST = Stem.INSTRUMENTAL


class Share:
    """A stage whose first stem is three quarters of the song, and whose second is the rest."""

    def __init__(self, first, second):
        self.first, self.second = first, second

    def separate(self, song):
        for start in range(0, song.frames, 100):
            piece = song.read(start, min(start + 100, song.frames))
            yield {self.first: 0.75 * piece, self.second: 0.25 * piece}


@pytest.fixture
def separator():
    duet = StepDeclaration(kind=StageKind.SPLEETER, gives=frozenset({V, REST}), effort=3)
    rhythm = StepDeclaration(
        kind=StageKind.DRUMS_BASS_SPLIT, gives=frozenset({D, Stem.OTHER}), source=REST
    )
    return Separator([Step(Share(V, REST), duet), Step(Share(D, Stem.OTHER), rhythm)])


@pytest.fixture
def separate(separator, tmp_path):
    def run(*stems, frames=1000, report=lambda _: None):
        song = nets.song(frames)
        path = nets.write_spool(tmp_path / "song.f32", song)
        into = {stem: tmp_path / f"{stem}.out" for stem in (V, REST, D, Stem.OTHER)}
        separator.separate(path, frames=frames, stems=stems, into=into, report=report)
        return song, {stem: nets.read_spool(into[stem]) for stem in stems}

    return run


def test_gives_the_stems_asked_for(separate):
    song, made = separate(D, V)
    np.testing.assert_allclose(made[V], 0.75 * song)
    np.testing.assert_allclose(made[D], 0.75 * 0.25 * song)


def test_reports_steadily_and_ends_with_all_done(separate):
    fractions: list[float] = []
    separate(D, report=fractions.append)
    assert fractions == sorted(fractions)
    assert fractions[9] == pytest.approx(0.75)
    assert fractions[-1] == pytest.approx(1.0)


def test_skips_steps_that_no_wanted_stem_needs(separate):
    fractions: list[float] = []
    separate(V, report=fractions.append)
    assert len(fractions) == 10
    assert fractions[-1] == pytest.approx(1.0)


def test_gives_empty_stems_of_an_empty_song(separate):
    _, made = separate(V, D, frames=0)
    assert [audio.shape for audio in made.values()] == [(2, 0), (2, 0)]


def test_works_on_files_that_are_handed_over_open(separator, tmp_path):
    song = nets.song(1000)
    mixture = os.open(nets.write_spool(tmp_path / "song.f32", song), os.O_RDONLY)
    stems = (V, REST, D, Stem.OTHER)
    places = {stem: os.open(tmp_path / stem, os.O_RDWR | os.O_CREAT) for stem in stems}
    separator.separate(mixture, frames=1000, stems=[D], into=places, report=lambda _: None)
    for descriptor in (mixture, *places.values()):
        os.close(descriptor)
    np.testing.assert_allclose(nets.read_spool(tmp_path / D), 0.75 * 0.25 * song)


@pytest.mark.parametrize("at", [0.1, 0.9])
def test_what_a_report_raises_ends_it(separate, at):
    def stop(fraction):
        if fraction > at:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        separate(V, D, report=stop)


def test_refuses_a_stem_that_no_step_gives(separate):
    with pytest.raises(ValueError, match="piano"):
        separate(Stem.PIANO)


NETS = {
    StageKind.SPLEETER: nets.spleeter,
    StageKind.HTDEMUCS: lambda path: nets.htdemucs(path, by_samples=[0] * 4, by_spectrum=[0] * 4),
    StageKind.SCNET: small_graph,
}


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
def test_each_model_gives_the_stems_it_declares(model, tmp_path):
    weights = NETS[model.steps[0].kind](tmp_path / model.file_name)
    for step in steps_of(model, weights, threads=1):
        assert nets.run(step.stage, tmp_path / "song.f32", nets.song(3000)).keys() == (
            step.declared.gives
        )


def test_the_basic_four_stems_add_up_to_the_song(tmp_path):
    weights = nets.spleeter(tmp_path / "net.onnx")
    song = nets.song(30_001)
    wanted = (V, D, Stem.BASS, Stem.OTHER)
    into = {stem: tmp_path / f"{stem}.out" for stem in SPLEETER.stems}
    Separator(steps_of(SPLEETER, weights, threads=1)).separate(
        nets.write_spool(tmp_path / "song.f32", song),
        frames=song.shape[1],
        stems=wanted,
        into=into,
        report=lambda _: None,
    )
    np.testing.assert_allclose(sum(nets.read_spool(into[stem]) for stem in wanted), song, atol=1e-6)
