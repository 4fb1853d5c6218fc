import numpy as np
import pytest
from PIL import Image

from bot.audio.child import master, waveform
from bot.audio.child.combine import combine
from bot.audio.child.picture import picture
from bot.audio.child.waveform import Waveform
from bot.audio.spool import SAMPLE_RATE
from bot.audio.tasks import CombineTask, Mix, Part, PictureTask, Row
from tests.support import audio_files


@pytest.fixture
def stem(tmp_path):
    """Write a (channels, samples) array as a master."""

    def write(name, sound):
        with master.written(tmp_path / f"{name}.flac") as append:
            append(sound.T)
        return tmp_path / f"{name}.flac"

    return write


def test_a_waveform_shows_where_a_stem_is_loud(stem):
    sound = audio_files.tone(4.0)
    sound[:, : 2 * SAMPLE_RATE] = 0.0
    wave = waveform.measure(stem("half", sound), 8)
    assert wave.duration_s == 4.0
    assert wave.peaks == pytest.approx([0.0] * 4 + [audio_files.LEVEL] * 4, abs=1e-3)
    assert wave.rms == pytest.approx([0.0] * 4 + [audio_files.TONE_RMS] * 4, abs=1e-3)


@pytest.mark.parametrize(("frame", "where"), [(0, 0), (7_003, 6), (7_004, 7), (10_006, 9)])
def test_a_click_shows_in_its_own_slice_only(stem, frame, where):
    sound = np.zeros((2, 10_007), np.float32)
    sound[1, frame] = 0.9
    wave = waveform.measure(stem("click", sound), 10)
    assert np.flatnonzero(wave.peaks > 0.5).tolist() == [where]


@pytest.mark.parametrize("frames", [1, 7, 100])
def test_a_master_shorter_than_the_picture_is_wide_can_be_measured(stem, frames):
    wave = waveform.measure(stem("tiny", np.full((2, frames), 0.5, np.float32)), 130)
    assert wave.peaks.max() == pytest.approx(0.5, abs=1e-3)
    assert np.isfinite(wave.rms).all()


def test_a_master_keeps_its_waveform_so_that_drawing_it_takes_no_decoding(stem, tmp_path):
    sound = audio_files.tone(4.0, level=2.0) * np.linspace(0, 1, 4 * SAMPLE_RATE, dtype=np.float32)
    mix = Mix(
        path=tmp_path / "kept.flac",
        parts=(Part(spool=audio_files.write_spool(tmp_path / "song.f32", sound)),),
    )
    told = combine(CombineTask(mixes=(mix,), frames=None))
    whole = mix.path.read_bytes()
    mix.path.write_bytes(whole[: len(whole) // 4])
    kept = waveform.measure(mix.path, 130)
    measured = waveform.measure(stem("measured", sound * told.factor), 130)
    assert kept.duration_s == measured.duration_s
    assert kept.peaks == pytest.approx(measured.peaks, abs=5e-3)
    assert kept.rms == pytest.approx(measured.rms, abs=5e-3)


@pytest.mark.parametrize("text", ["", "loud", "AAAA", "ä"])
def test_a_tag_that_is_no_waveform_is_not_taken_for_one(text):
    assert Waveform.from_tag(text, duration_s=1.0) is None


def test_a_picture_is_a_small_png_that_tells_its_stems_by_colour(stem, tmp_path):
    noise = np.random.default_rng(1).normal(0, 0.1, (2, SAMPLE_RATE * 3)).astype(np.float32)
    names = ["Vocals", "Drums", "Bass", "Guitar", "Piano", "Other"]
    rows = tuple(Row(label=name, stem=stem(name, noise)) for name in names)
    told = picture(PictureTask(rows=rows, into=tmp_path / "stems.png"))
    assert told.size_bytes == (tmp_path / "stems.png").stat().st_size < 80 * 1024
    with Image.open(tmp_path / "stems.png") as image:
        assert image.format == "PNG"
        assert image.width == 1200
        assert len(_hues(image)) >= len(names)


def test_the_loud_half_of_a_stem_stands_taller(stem, tmp_path):
    sound = audio_files.tone(4.0, level=0.8)
    sound[:, : 2 * SAMPLE_RATE] *= 0.05
    rows = (Row(label="Vocals", stem=stem("vocals", sound)),)
    picture(PictureTask(rows=rows, into=tmp_path / "stems.png"))
    with Image.open(tmp_path / "stems.png") as image:
        pink = np.asarray(image.convert("RGB")).astype(int)
    drawn = (pink[..., 0] - pink[..., 2]) > 30
    heights = drawn.sum(axis=0)
    quiet, loud = heights[300:600].max(), heights[800:1100].max()
    assert loud > 3 * quiet > 0


def test_silent_stems_and_unknown_labels_can_be_drawn(stem, tmp_path):
    silence = np.zeros((2, 1000), np.float32)
    rows = (Row(label="Нечто", stem=stem("a", silence)), Row(label="", stem=stem("b", silence)))
    assert picture(PictureTask(rows=rows, into=tmp_path / "stems.png")).size_bytes > 0


def _hues(image):
    """Return the vivid hues of a picture, in coarse steps, that cover more than a speck."""
    hsv = np.asarray(image.convert("RGB").convert("HSV"))
    vivid = hsv[(hsv[..., 1] > 90) & (hsv[..., 2] > 150)]
    hues, counts = np.unique(vivid[:, 0] // 8, return_counts=True)
    return hues[counts > 200]
