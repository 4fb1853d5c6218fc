"""The stage against a plain loop over the whole song, in double precision around the network."""

import numpy as np
import onnxruntime
import pytest

from bot.domain.recipes import Stem
from bot.engine.model_declaration import DamagedModel
from bot.engine.worker.network import Network
from bot.engine.worker.scnet import SCNet
from tests.unit.engine import nets

CHUNK = 11 * 44_100
STEP = CHUNK // 2
FADE = CHUNK // 10
COLUMN, HOP = 4096, 1024
ADDING_UP = (Stem.DRUMS, Stem.BASS, Stem.OTHER, Stem.VOCALS)


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    return nets.scnet(tmp_path_factory.mktemp("scnet") / "net.onnx")


@pytest.fixture(scope="module")
def stage(graph):
    return SCNet(Network(graph, threads=1), threads=1)


def offset_song(frames):
    """Return a song whose mean is not zero, since the mean is part of the level."""
    return nets.song(frames) + np.float32(0.05)


def reference(graph, song):
    """Separate a whole song at once, as Music-Source-Separation-Training does with one per batch.

    Differs from it in that no stem gets the song's mean, and `other` gets what is left.
    """
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    mixture = song.astype(np.float64)
    mono = mixture.mean(axis=0)
    normal = (mixture - mono.mean()) / mono.std()
    border = STEP if song.shape[1] > 2 * STEP else 0
    line = np.pad(normal, ((0, 0), (border, border)), mode="reflect") if border else normal
    total, weights = np.zeros((4, *line.shape)), np.zeros(line.shape[1])
    for start in range(0, line.shape[1], STEP):
        part = line[:, start : start + CHUNK]
        length = part.shape[1]
        lacking = ((0, 0), (0, CHUNK - length))
        is_mirrored = length > CHUNK // 2
        part = np.pad(part, lacking, mode="reflect") if is_mirrored else np.pad(part, lacking)
        window = np.ones(CHUNK)
        if start:
            window[:FADE] = np.linspace(0, 1, FADE)
        window[-FADE:] = np.linspace(1, 0, FADE)
        window = window[:length]
        total[..., start : start + length] += through(session, part)[..., :length] * window
        weights[start : start + length] += window
    sources = (total / weights * mono.std())[..., border : border + song.shape[1]]
    stems = dict(zip(ADDING_UP, sources, strict=True))
    stems[Stem.OTHER] = stems[Stem.OTHER] + mixture - sources.sum(axis=0)
    return stems | {Stem.INSTRUMENTAL: mixture - stems[Stem.VOCALS]}


def through(session, part):
    """Send one chunk through the network; a sample's estimate is the mean of its columns'."""
    padded = np.pad(part, ((0, 0), (0, 486_400 - CHUNK)))
    padded = np.pad(padded, ((0, 0), (COLUMN // 2, COLUMN // 2)), mode="reflect")
    places = range(0, padded.shape[1] - COLUMN + 1, HOP)
    spectra = [np.fft.rfft(padded[:, at : at + COLUMN]) / 64 for at in places]
    left, right = np.moveaxis(np.stack(spectra), 0, -1)
    planes = np.stack([left.real, left.imag, right.real, right.imag])
    (answer,) = session.run(None, {"mix_spec": planes[np.newaxis].astype(np.float32)})
    line, cover = np.zeros((8, padded.shape[1])), np.zeros(padded.shape[1])
    for at in places:
        cover[at : at + COLUMN] += 1
    for channel, (real, imaginary) in zip(line, answer.reshape(8, 2, *left.shape), strict=True):
        columns = np.fft.irfft((real.T + 1j * imaginary.T.astype(float)) * 64)
        for at, column in zip(places, columns, strict=True):
            channel[at : at + COLUMN] += column
    return (line / cover).reshape(4, 2, -1)[..., COLUMN // 2 : COLUMN // 2 + CHUNK]


def agreement_db(made, truth):
    return 10 * np.log10(np.sum(truth**2) / max(np.sum((made - truth) ** 2), 1e-30))


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(5000, id="shorter than half a segment, so silence follows"),
        pytest.param(CHUNK // 2 + 1, id="its reflection follows"),
        pytest.param(CHUNK, id="the longest that is not continued", marks=pytest.mark.slow),
        pytest.param(CHUNK + 1, id="the shortest that is"),
        pytest.param(int(27.3 * 44_100), id="many segments", marks=pytest.mark.slow),
        pytest.param(4 * STEP + 1, id="ends right after a segment begins", marks=pytest.mark.slow),
    ],
)
def test_agrees_with_a_plain_loop_to_120_db_on_every_stem_and_at_both_ends(
    graph, stage, tmp_path, frames
):
    song = offset_song(frames)
    made = nets.run(stage, tmp_path / "song.f32", song)
    truth = reference(graph, song)
    ends = slice(None, 2000), slice(-2000, None)
    for stem, expected in truth.items():
        assert made[stem].shape == song.shape
        assert agreement_db(made[stem], expected) >= 120
        for end in ends:
            assert agreement_db(made[stem][:, end], expected[:, end]) >= 110


@pytest.mark.parametrize("frames", [1, 2, CHUNK + 12_345])
def test_the_stems_add_up_to_the_song(stage, tmp_path, frames):
    song = offset_song(frames)
    made = nets.run(stage, tmp_path / "song.f32", song)
    np.testing.assert_allclose(sum(made[stem] for stem in ADDING_UP), song, atol=1e-6)
    np.testing.assert_allclose(made[Stem.VOCALS] + made[Stem.INSTRUMENTAL], song, atol=1e-6)


def test_silence_stays_silent(stage, tmp_path):
    made = nets.run(stage, tmp_path / "song.f32", np.zeros((2, 50_000), np.float32))
    for stem in made.values():
        assert np.abs(stem).max() < 1e-6


def test_a_graph_for_another_network_is_refused(tmp_path):
    other = nets.spleeter(tmp_path / "net.onnx")
    with pytest.raises(DamagedModel, match="spectrum"):
        SCNet(Network(other, threads=1), threads=1)
