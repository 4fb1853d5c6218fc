"""Separation by filters: stems add up to the song, and each has the right content."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sandbox.song import write_song
from sandbox.vendors.audio_files import StemWriter, UnreadableSong, read_song
from sandbox.vendors.audiocleaner import AudioCleaner
from sandbox.vendors.finevoice import FineVoice
from sandbox.vendors.separate import RATE, REST, STEP, Model, Samples, separated
from sandbox.vendors.soundverse import Soundverse

COMPLETE = [
    AudioCleaner.models[490],
    AudioCleaner.models[501],
    AudioCleaner.models[320],
    FineVoice.models["vocal-remover"],
    FineVoice.models["htdemucs_6s-4"],
    Soundverse.models["all-stems"],
]


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    path = write_song(tmp_path_factory.mktemp("song") / "song.wav", seconds=4.1)
    return np.concatenate(list(read_song(path)), axis=1)


def stems_of(song: Samples, model: Model, block: int = 100_000) -> dict[str, Samples]:
    pieces = list(separated(blocks_of(song, block), model))
    return {name: np.concatenate([each[name] for each in pieces], axis=1) for name in model.stems}


def blocks_of(song: Samples, block: int) -> Iterator[Samples]:
    for start in range(0, song.shape[1], block):
        yield song[:, start : start + block]


@pytest.mark.parametrize("model", COMPLETE, ids=lambda model: "+".join(model.stems))
def test_complete_set_adds_up_to_the_song(model: Model, song: Samples) -> None:
    total = sum(stems_of(song, model).values())
    assert np.abs(total - song).max() < 1e-5


def test_instruments_are_the_song_without_its_vocals(song: Samples) -> None:
    instruments = sum(stems_of(song, Soundverse.models["instruments"]).values())
    vocals = stems_of(song, Soundverse.models["vocals"])["vocals"]
    assert np.abs(instruments + vocals - song).max() < 1e-5


def test_lead_and_backing_are_the_vocals(song: Samples) -> None:
    both = stems_of(song, AudioCleaner.models[490])
    vocals = stems_of(song, AudioCleaner.models[501])["vocals"]
    assert np.abs(both["lead_vocals"] + both["backing_vocals"] - vocals).max() < 1e-5


def test_no_stem_of_a_song_is_silent(song: Samples) -> None:
    stems = stems_of(song, FineVoice.models["htdemucs_6s-4"])
    assert min(np.abs(stem).max() for stem in stems.values()) > 0.005


@pytest.mark.parametrize("length", [1, 2048, STEP, STEP + 1])
def test_stems_are_as_long_as_the_song_and_add_up_across_pieces(length: int) -> None:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (2, length)).astype(np.float32)
    model = Model(stems={"drums": "drums", "other": REST})
    stems = stems_of(noise, model, block=300_000)
    assert stems["drums"].shape == (2, length)
    assert np.abs(sum(stems.values()) - noise).max() < 1e-5


def test_pieces_join_without_a_seam() -> None:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (2, STEP + 60_000)).astype(np.float32)
    model = Model(stems={"drums": "drums"})
    late = stems_of(noise[:, 40_960:], model)["drums"]
    whole = stems_of(noise, model)["drums"][:, 40_960:]
    inside = slice(40_960, -40_960)
    assert np.abs(whole[:, inside] - late[:, inside]).max() < 1e-5


@pytest.mark.parametrize(
    ("pan", "pitch_hz", "stem"),
    [(0, 60, "bass"), (0, 440, "vocals"), (-1, 440, "guitar"), (1, 440, "piano")],
)
def test_steady_tone_lands_in_its_stem(pan: int, pitch_hz: int, stem: str) -> None:
    tone = 0.5 * np.sin(2 * np.pi * pitch_hz * np.arange(2 * RATE) / RATE)
    song = np.stack([tone * (pan <= 0), tone * (pan >= 0)]).astype(np.float32)
    stems = stems_of(song, FineVoice.models["htdemucs_6s-4"])
    steady = slice(RATE // 2, -RATE // 2)
    rest = (stems[stem] - song)[:, steady]
    assert (rest**2).sum() < 0.05 * (song[:, steady] ** 2).sum()


def test_hits_land_in_the_drums() -> None:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 2 * RATE)).astype(np.float32)
    hits = noise * (np.arange(2 * RATE) % (RATE // 2) < 1000)
    drums = stems_of(hits, AudioCleaner.models[340])["drums"]
    assert (drums**2).sum() > 0.5 * (hits**2).sum()


def test_reverb_is_shortened() -> None:
    noise = np.random.default_rng(1).uniform(-1, 1, (2, 2 * RATE))
    tail = (noise * np.exp(-6 * np.arange(2 * RATE) / RATE)).astype(np.float32)
    dry = stems_of(tail, FineVoice.models["reverb"])["no_reverb"]
    late = slice(RATE // 2, RATE)
    assert (dry[:, late] ** 2).sum() < 0.6 * (tail[:, late] ** 2).sum()


@pytest.mark.parametrize(("suffix", "worst"), [("wav", 1e-4), ("mp3", 0.05)])
def test_written_stem_reads_back_at_the_same_length(
    suffix: str, worst: float, tmp_path: Path
) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    sound = np.stack([tone, -tone]).astype(np.float32)
    path = tmp_path / f"stem.{suffix}"
    with StemWriter(path) as writer:
        for block in blocks_of(sound, 10_000):
            writer.write(block)
    heard = np.concatenate(list(read_song(path)), axis=1)
    assert heard.shape == sound.shape
    assert np.abs(heard - sound)[:, 3000:-3000].max() < worst


@pytest.mark.parametrize("content", [b"", b"no audio at all" * 100])
def test_file_without_audio_is_unreadable(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(content)
    with pytest.raises(UnreadableSong):
        list(read_song(path))
