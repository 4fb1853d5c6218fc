"""The real weights, where they are: `python -m bot models` fetches them."""

import os
from pathlib import Path

import numpy as np
import pytest

from bot.audio.spool import SAMPLE_RATE
from bot.domain.recipes import Stem
from bot.engine.engine import Engine
from bot.engine.model_catalogue import HTDEMUCS, SPLEETER
from bot.engine.weights import Weights
from tests.unit.engine import nets

DATA = Path(os.environ.get("STEMCORD_DATA_DIR") or "data")
MODELS_DIR = Path(os.environ.get("STEMCORD_MODELS_DIR") or DATA / "models")
FRAMES = 8 * SAMPLE_RATE
TIME = np.arange(FRAMES) / SAMPLE_RATE


@pytest.fixture
def separate(tmp_path):
    async def run(model, song, *stems):
        if not Weights(model, MODELS_DIR).is_present():
            pytest.skip(f"{model.title} is not in {MODELS_DIR}")
        engine = Engine(models_dir=MODELS_DIR, model=model, threads=2)
        path = nets.write_spool(tmp_path / "song.f32", song.astype(np.float32))
        try:
            files = await engine.separate(
                path, frames=FRAMES, stems=stems, into=tmp_path, progress=lambda _: None
            )
        finally:
            await engine.close()
        return {stem: nets.read_spool(path) for stem, path in files.items()}

    return run


def power(audio):
    return float(np.square(audio).sum())


def band():
    """Return a beat, a bass and chords, as (2, frames)."""
    rng = np.random.default_rng(0)
    beat = rng.normal(0, 0.3, FRAMES) * np.exp(-30 * (TIME % 0.5))
    bass = 0.2 * np.sin(2 * np.pi * 55 * 2 ** np.floor(TIME % 2) * TIME)
    chords = sum(0.05 * np.sin(2 * np.pi * hz * TIME) for hz in (220, 277, 330))
    return np.stack([beat + bass + chords, beat + bass + 0.8 * chords])


def voice():
    """Return a sung vowel with vibrato: a buzz through three formants."""
    pitch = 200 * 2 ** (np.floor(TIME * 2) % 5 / 12) * (1 + 0.02 * np.sin(2 * np.pi * 5.5 * TIME))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    buzz = np.zeros(FRAMES)
    for harmonic in range(1, 30):
        hz = harmonic * pitch
        formants = sum(np.exp(-(((hz - centre) / 150) ** 2)) for centre in (700, 1200, 2600))
        buzz += (0.05 + formants) / harmonic**0.5 * np.sin(harmonic * phase)
    return np.tile(0.1 * buzz * (0.6 + 0.4 * np.sin(2 * np.pi * TIME)), (2, 1))


@pytest.mark.model
def test_the_fetched_file_is_whole():
    weights = Weights(SPLEETER, MODELS_DIR)
    if not weights.is_present():
        pytest.skip(f"{SPLEETER.title} is not in {MODELS_DIR}")
    weights.verify()


@pytest.mark.model
async def test_a_song_without_a_voice_stays_in_the_instrumental(separate):
    song = band()
    stems = await separate(SPLEETER, song, Stem.VOCALS, Stem.INSTRUMENTAL)
    assert power(stems[Stem.VOCALS]) < 0.02 * power(song)


@pytest.mark.model
async def test_a_voice_is_lifted_out_of_the_band(separate):
    song = band() + voice()
    stems = await separate(SPLEETER, song, Stem.VOCALS, Stem.INSTRUMENTAL)
    np.testing.assert_allclose(sum(stems.values()), song, atol=1e-6)
    assert power(stems[Stem.INSTRUMENTAL] - band()) < 0.1 * power(voice())


@pytest.mark.model
@pytest.mark.slow
async def test_htdemucs_gives_four_stems_that_add_up(separate):
    song = band() + voice()
    stems = await separate(HTDEMUCS, song, Stem.VOCALS, Stem.DRUMS, Stem.BASS, Stem.OTHER)
    np.testing.assert_allclose(sum(stems.values()), song, atol=1e-5)
    bass = 0.2 * np.sin(2 * np.pi * 55 * 2 ** np.floor(TIME % 2) * TIME)
    assert power(stems[Stem.BASS] - bass) < 0.5 * power(np.tile(bass, (2, 1)))
