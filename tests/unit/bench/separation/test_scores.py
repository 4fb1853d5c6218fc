import numpy as np
import pytest

from bench.material import global_sdr
from bench.separation.scnet_levels import split_levelled
from bench.separation.scnet_reference import small_graph
from bench.separation.scores import comparable
from bot.domain.recipes import Stem
from tests.unit.engine import nets

ONE = np.ones((2, 10), np.float32)


@pytest.mark.parametrize(("gain", "db"), [(0.9, 20), (0, 0), (2, 0), (-9, -20)])
def test_the_global_sdr_is_the_ratio_of_energies(gain, db):
    assert global_sdr(ONE, gain * ONE) == pytest.approx(db, abs=1e-4)


def test_a_perfect_stem_has_a_finite_score():
    assert 100 < global_sdr(ONE, ONE) < 200


def test_guitar_and_piano_are_part_of_other_in_the_reference():
    names = (Stem.VOCALS, Stem.DRUMS, Stem.BASS, Stem.OTHER, Stem.GUITAR, Stem.PIANO)
    stems = comparable({stem: ONE * k for k, stem in enumerate(names)})
    assert stems.keys() == {Stem.VOCALS, Stem.DRUMS, Stem.BASS, Stem.OTHER}
    np.testing.assert_array_equal(stems[Stem.OTHER], ONE * (3 + 4 + 5))


def test_an_instrumental_with_backing_vocals_is_not_compared():
    assert comparable({Stem.LEAD_VOCALS: ONE, Stem.INSTRUMENTAL: ONE}) == {}


def test_with_the_level_of_the_spectrum_the_loudness_makes_no_difference(tmp_path):
    graph = small_graph(tmp_path / "net.onnx")
    song = nets.song(20_000)
    quiet, loud = (split_levelled(graph, song * gain, threads=1) for gain in (1, 16))
    assert quiet.keys() >= {Stem.VOCALS, Stem.INSTRUMENTAL}
    for stem, samples in quiet.items():
        np.testing.assert_allclose(loud[stem], samples * 16, rtol=1e-2, atol=1e-2)
