import hashlib
import sys

import numpy as np
import pytest

from bot.audio.child import waveform
from bot.audio.child.rendering import stretching
from bot.audio.child.rendering.render import LOUDEST
from bot.audio.click_track import ClickTrack
from bot.audio.spool import SAMPLE_RATE
from bot.audio.tasks import part_of
from bot.domain.errors import Reason, Rejected
from tests.support import audio_files

SECONDS = 2.0
CLICKS_S = np.arange(0.5, SECONDS - 0.4, 0.5)


def tone(hz, *, level=0.2, seconds=SECONDS):
    return audio_files.tone(seconds, level=level, hz=hz)


def chord(*notes_hz, level=0.1):
    return np.sum([tone(hz * k, level=level / k) for hz in notes_hz for k in (1, 2, 3)], axis=0)


def clicks(level=0.8, seconds=SECONDS):
    """Single samples, half a second apart."""
    sound = np.zeros((2, round(seconds * SAMPLE_RATE)), np.float32)
    sound[:, np.round(CLICKS_S * SAMPLE_RATE).astype(int)] = level
    return sound


def pitch_hz(sound):
    """The strongest frequency away from the ends, interpolated in the logarithm of the spectrum."""
    middle = sound[SAMPLE_RATE // 2 : -SAMPLE_RATE // 2, 0]
    size = 1 << 19
    spectrum = np.abs(np.fft.rfft(middle * np.blackman(len(middle)), size))
    at = int(spectrum.argmax())
    before, here, after = np.log(spectrum[at - 1 : at + 2])
    return (at + (before - after) / (2 * (before - 2 * here + after))) * SAMPLE_RATE / size


def cents_off(sound, hz, cents):
    return 1200 * np.log2(pitch_hz(sound) / hz) - cents


@pytest.mark.parametrize(
    ("cents", "speed"),
    [(-200, 100), (300, 75), (-500, 50), (37, 110), (0, 90), (1200, 150), (-1200, 80)],
)
def test_pitch_and_length_are_as_asked_for(studio, cents, speed):
    studio.write(vocals=tone(440), bass=tone(55))
    told = studio.render(outputs={"v": ["vocals"], "b": ["bass"]}, cents=cents, speed_percent=speed)
    assert abs(cents_off(studio.read("v"), 440, cents)) <= 1
    assert abs(cents_off(studio.read("b"), 55, cents)) <= 7
    wanted = round(SECONDS * SAMPLE_RATE * 100 / speed)
    assert told.frames == len(studio.read("v")) == len(studio.read("b")) == wanted


def test_every_note_of_a_chord_moves_by_the_same_interval(studio):
    studio.write(other=chord(220, 277.2, 329.6))
    studio.render(outputs={"o": ["other"]}, cents=400, speed_percent=90)
    spectrum = np.abs(np.fft.rfft(studio.read("o")[SAMPLE_RATE // 2 : -SAMPLE_RATE // 2, 0]))
    resolution = SAMPLE_RATE / (2 * (len(spectrum) - 1))
    for hz in (220, 277.2, 329.6):
        wanted = round(hz * 2 ** (4 / 12) / resolution)
        near = spectrum[wanted - 20 : wanted + 21]
        assert abs(int(near.argmax()) - 20) <= 1


@pytest.mark.parametrize(
    ("cents", "speed"),
    [
        (-1200, 50), (-1200, 150), (-700, 73), (-150, 137), (-1, 100), (0, 51), (50, 110),
        (100, 99), (300, 150), (600, 90), (1200, 50), (1200, 150),
    ],
)  # fmt: skip
def test_stems_have_the_same_exact_length(studio, cents, speed):
    studio.write(drums=clicks()[:, :5001], other=tone(300)[:, :5001])
    told = studio.render(outputs={"d": ["drums"], "o": ["other"]}, cents=cents, speed_percent=speed)
    lengths = {len(studio.read(name)) for name in "do"}
    assert lengths == {told.frames} == {round(5001 * 100 / speed)}


def test_a_mix_has_the_length_of_its_stems(studio):
    studio.write(drums=clicks()[:, :5001], other=tone(300)[:, :5001])
    told = studio.render(outputs={"m": ["drums", "other"]}, cents=-700, speed_percent=73)
    assert len(studio.read("m")) == told.frames == round(5001 * 100 / 73)


@pytest.mark.parametrize(("cents", "speed"), [(-200, 100), (300, 100), (0, 80), (-300, 120)])
def test_attacks_stay_in_time_in_every_stem(studio, cents, speed):
    studio.write(drums=clicks(), other=clicks())
    studio.render(outputs={"d": ["drums"], "o": ["other"]}, cents=cents, speed_percent=speed)
    for name in "do":
        sound = np.abs(studio.read(name)[:, 0])
        for at in np.round(CLICKS_S * SAMPLE_RATE * 100 / speed).astype(int):
            around = np.square(sound[at - 1500 : at + 1500])
            centre = np.average(np.arange(-1500, 1500), weights=around)
            assert abs(centre) / SAMPLE_RATE * 1000 <= 1.0


def test_drums_pass_another_key_bit_for_bit(studio):
    drums = np.random.default_rng(1).normal(0, 0.1, (2, SAMPLE_RATE))
    studio.write(drums=drums, other=tone(300, seconds=1.0))
    told = studio.render(outputs={"d": ["drums"], "o": ["other"]}, cents=-300)
    assert told.factor == 1.0
    assert np.array_equal(studio.read("d"), studio.read("drums"))


def test_drums_in_a_mix_are_added_as_they_were(studio):
    drums = np.random.default_rng(1).normal(0, 0.05, (2, SAMPLE_RATE))
    studio.write(drums=drums, other=tone(300, seconds=1.0))
    studio.render(outputs={"m": ["drums", "other"], "o": ["other"]}, cents=500)
    left = studio.read("m") - studio.read("o") - studio.read("drums")
    assert np.abs(left).max() <= 1.01 / 32_768


def test_drums_of_a_basic_model_move_with_the_rest(studio):
    studio.write(drums=tone(440))
    studio.render(outputs={"d": ["drums"]}, cents=-200, drums_apart=False)
    assert abs(cents_off(studio.read("d"), 440, -200)) <= 1


def test_a_mix_has_its_levels(studio):
    studio.write(vocals=tone(440, level=0.4), other=tone(300, level=0.1))
    told = studio.render(outputs={"m": ["vocals", "other"]}, levels={"vocals": 25, "other": 200})
    wanted = studio.read("vocals") * 0.25 + studio.read("other") * 2
    assert told.factor == 1.0
    assert np.abs(studio.read("m") - wanted).max() <= 0.51 / 32_768


def test_a_stem_at_zero_percent_is_not_heard(studio):
    studio.write(vocals=tone(440), other=tone(300))
    studio.render(outputs={"m": ["vocals", "other"]}, levels={"vocals": 0})
    assert np.array_equal(studio.read("m"), studio.read("other"))


@pytest.mark.parametrize("cents", [0, -300])
def test_what_would_be_too_loud_sets_one_factor_for_all(studio, cents):
    loud = np.random.default_rng(2).normal(0, 0.5, (2, SAMPLE_RATE)).clip(-1, 1)
    studio.write(vocals=loud, drums=tone(100, seconds=1.0))
    told = studio.render(outputs={"v": ["vocals"], "d": ["drums"]}, cents=cents)
    assert np.abs(studio.read("v")).max() == pytest.approx(LOUDEST, abs=1e-4)
    assert told.levels[0].peak == pytest.approx(LOUDEST)
    assert np.abs(studio.read("d") - studio.read("drums") * told.factor).max() <= 0.51 / 32_768


def test_two_runs_give_equal_bytes(studio):
    moment = slice(SAMPLE_RATE // 4)
    studio.write(vocals=chord(220, 330)[:, moment], drums=clicks()[:, moment])
    digests = set()
    for _ in range(2):
        studio.render(outputs={"m": ["vocals", "drums"]}, cents=-500, speed_percent=50)
        digests.add(hashlib.sha256(studio.master("m").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_a_held_note_keeps_its_loudness_and_pitch_over_the_seams(studio, monkeypatch):
    monkeypatch.setattr(stretching, "_SEGMENT_FRAMES", 2 * SAMPLE_RATE)
    studio.write(other=tone(311, seconds=5.0))
    studio.render(outputs={"o": ["other"]}, cents=200, speed_percent=80)
    sound = studio.read("o")[SAMPLE_RATE:-SAMPLE_RATE, 0]
    power = np.cumsum(np.square(sound, dtype=np.float64))
    loudness = np.sqrt((power[882:] - power[:-882]) / 882)
    assert 20 * np.log10(loudness.min() / np.median(loudness)) >= -0.5
    assert 20 * np.log10(loudness.max() / np.median(loudness)) <= 1
    assert abs(cents_off(studio.read("o"), 311, 200)) <= 1


def test_nothing_drifts_over_the_seams(studio, monkeypatch):
    monkeypatch.setattr(stretching, "_SEGMENT_FRAMES", 2 * SAMPLE_RATE)
    marks = np.zeros((2, 8 * SAMPLE_RATE), np.float32)
    marks[:, 7 * SAMPLE_RATE] = 0.8
    studio.write(other=marks)
    studio.render(outputs={"o": ["other"]}, cents=100, speed_percent=97)
    power = np.square(studio.read("o")[:, 0])
    centre = np.average(np.arange(len(power)), weights=power)
    assert centre == pytest.approx(7 / 0.97 * SAMPLE_RATE, abs=0.005 * SAMPLE_RATE)


def test_the_waveform_is_kept_in_a_tag_as_it_is_written(studio):
    studio.write(vocals=tone(440, level=0.99, seconds=1.0), other=tone(200, level=0.9, seconds=1.0))
    studio.render(outputs={"m": ["vocals", "other"]}, cents=100)
    told = waveform.measure(studio.master("m"), 10)
    assert told.peaks.max() == pytest.approx(np.abs(studio.read("m")).max(), abs=1e-3)


def test_clicks_are_mixed_in_below_the_peak_and_after_silence_for_the_count_in(studio):
    studio.write(other=tone(110, level=0.4))
    track = ClickTrack(
        padding_frames=SAMPLE_RATE, beats=(SAMPLE_RATE // 2, 2 * SAMPLE_RATE), bars=(0,)
    )
    told = studio.render(outputs={"m": ["other"]}, click=track)
    sound = studio.read("m")
    assert told.frames == len(sound) == round((SECONDS + 1) * SAMPLE_RATE)
    assert (
        np.abs(sound[SAMPLE_RATE : SAMPLE_RATE + 4000] - studio.read("other")[:4000]).max() < 1e-4
    )
    for start in (0, SAMPLE_RATE // 2):
        peak = np.abs(sound[start : start + 80]).max()
        assert 20 * np.log10(peak / 0.4) == pytest.approx(-12, abs=0.5)
    assert not sound[100 : SAMPLE_RATE // 2].any()
    click = sound[2 * SAMPLE_RATE :][:79] - studio.read("other")[SAMPLE_RATE:][:79]
    assert np.abs(click).max() == pytest.approx(0.1, abs=0.01)


def test_clicks_after_the_end_are_left_out(studio):
    studio.write(other=tone(110))
    track = ClickTrack(padding_frames=0, beats=(round(SECONDS * SAMPLE_RATE) - 10,), bars=())
    studio.render(outputs={"m": ["other"]}, click=track)
    assert np.array_equal(studio.read("m"), studio.read("other"))


def test_clicks_in_silence_are_heard(studio):
    studio.write(other=tone(110, level=0.0))
    studio.render(outputs={"m": ["other"]}, click=ClickTrack(padding_frames=0, beats=(0,), bars=()))
    assert np.abs(studio.read("m")).max() > 0.05


def test_a_short_master_ends_in_silence(studio):
    studio.write(vocals=tone(440, seconds=1.0), other=tone(300))
    studio.render(outputs={"v": ["vocals"], "o": ["other"]})
    sound = studio.read("v")
    assert len(sound) == len(studio.read("o")) > 1.5 * SAMPLE_RATE
    assert not sound[round(1.1 * SAMPLE_RATE) :].any()


@pytest.mark.parametrize("cents", [0, 300])
def test_silence_stays_silence(studio, cents):
    silence = np.zeros((2, SAMPLE_RATE))
    studio.write(vocals=silence, drums=silence)
    told = studio.render(
        outputs={"v": ["vocals"], "m": ["vocals", "drums"]}, cents=cents, speed_percent=90
    )
    assert told.factor == 1.0
    assert not studio.read("v").any()
    assert not studio.read("m").any()


@pytest.mark.parametrize("frames", [1, 441, 4410])
@pytest.mark.parametrize(("cents", "speed"), [(-1200, 150), (1200, 50)])
def test_a_moment_of_sound_is_rendered(studio, frames, cents, speed):
    studio.write(vocals=tone(440)[:, :frames], drums=tone(440)[:, :frames])
    told = studio.render(
        outputs={"v": ["vocals"], "d": ["drums"]}, cents=cents, speed_percent=speed
    )
    assert len(studio.read("v")) == len(studio.read("d")) == told.frames
    assert told.frames == round(frames * 100 / speed)


def test_a_file_that_is_no_master_is_an_error(studio):
    audio_files.write(
        studio.master("vocals"), "flac", "flac", sound=audio_files.tone(channels=1), layout="mono"
    )
    with pytest.raises(ValueError, match="not a master"):
        studio.render(outputs={"v": ["vocals"]})


def test_an_empty_file_is_an_error(studio):
    studio.master("vocals").write_bytes(b"")
    with pytest.raises(OSError, match="Invalid"):
        studio.render(outputs={"v": ["vocals"]}, cents=100)


@pytest.mark.parametrize(("cents", "speed"), [(100, 100), (0, 90)])
def test_without_the_library_a_change_of_sound_is_refused(studio, monkeypatch, cents, speed):
    monkeypatch.setitem(sys.modules, "python_stretch", None)
    studio.write(drums=tone(440))
    with pytest.raises(Rejected) as refusal:
        studio.render(outputs={"d": ["drums"]}, cents=cents, speed_percent=speed)
    assert refusal.value.problem.reason is Reason.NO_TIME_STRETCH
    assert not part_of(studio.folder / "d.f32").exists()


def test_without_the_library_stems_can_still_be_mixed(studio, monkeypatch):
    monkeypatch.setitem(sys.modules, "python_stretch", None)
    studio.write(drums=tone(440))
    studio.render(outputs={"d": ["drums"]}, levels={"drums": 50})
    assert np.abs(studio.read("d") - studio.read("drums") / 2).max() <= 0.51 / 32_768
