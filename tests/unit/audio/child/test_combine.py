import numpy as np
import pytest

from bot.audio.child import master
from bot.audio.child.combine import combine
from bot.audio.spool import SAMPLE_RATE
from bot.audio.tasks import CombineTask, Mix, Part
from tests.support import audio_files


@pytest.fixture
def spools(tmp_path):
    """Write (channels, samples) arrays as spools, by name."""

    def write(**named):
        return {
            name: audio_files.write_spool(tmp_path / f"{name}.f32", sound)
            for name, sound in named.items()
        }

    return write


def noise(seed, *, level=0.1, duration_s=1.0):
    shape = (2, round(SAMPLE_RATE * duration_s))
    return np.random.default_rng(seed).normal(0, level, shape).astype(np.float32)


def mix(path, **gains):
    return Mix(
        path=path,
        parts=tuple(
            Part(spool=path.parent / f"{name}.f32", gain=gain) for name, gain in gains.items()
        ),
    )


def read(path):
    with master.opened(path) as container:
        return np.concatenate(list(master.blocks(container)))


def test_stems_that_fit_are_written_as_they_are(tmp_path, spools):
    spools(vocals=audio_files.tone())
    told = combine(CombineTask(mixes=(mix(tmp_path / "v.flac", vocals=1.0),), frames=None))
    assert told.factor == 1.0
    assert told.frames == SAMPLE_RATE
    assert np.abs(read(tmp_path / "v.flac") - audio_files.tone().T).max() <= 0.5 / 32_768 + 1e-7


@pytest.mark.parametrize("level", [0.1, 0.6])
def test_stems_add_up_to_the_song_also_when_they_were_scaled(tmp_path, spools, level):
    song, vocals = noise(1, level=level), noise(2, level=level)
    spools(song=song, vocals=vocals)
    told = combine(
        CombineTask(
            mixes=(
                mix(tmp_path / "instrumental.flac", song=1.0, vocals=-1.0),
                mix(tmp_path / "vocals.flac", vocals=1.0),
            ),
            frames=None,
        )
    )
    assert (told.factor < 1.0) == (level == 0.6)
    sum_of_stems = read(tmp_path / "instrumental.flac") + read(tmp_path / "vocals.flac")
    residual = sum_of_stems - song.T * told.factor
    assert 20 * np.log10(audio_files.rms(residual)) <= -80


def test_the_loudest_stem_sets_one_factor_for_all(tmp_path, spools):
    spools(loud=audio_files.tone(level=2.0), soft=audio_files.tone(level=0.25))
    told = combine(
        CombineTask(
            mixes=(mix(tmp_path / "l.flac", loud=1.0), mix(tmp_path / "s.flac", soft=1.0)),
            frames=None,
        )
    )
    assert told.factor == pytest.approx(0.5, rel=1e-3)
    assert np.abs(read(tmp_path / "l.flac")).max() == pytest.approx(master.LOUDEST, abs=1e-6)
    assert np.abs(read(tmp_path / "s.flac")).max() == pytest.approx(0.125, rel=1e-2)


def test_levels_are_those_of_the_written_masters(tmp_path, spools):
    spools(loud=audio_files.tone(level=3.0))
    told = combine(CombineTask(mixes=(mix(tmp_path / "l.flac", loud=0.5),), frames=None))
    written = read(tmp_path / "l.flac")
    assert told.levels[0].peak == pytest.approx(np.abs(written).max(), abs=1e-4)
    assert told.levels[0].rms == pytest.approx(audio_files.rms(written), rel=1e-4)


def test_a_short_spool_ends_in_silence(tmp_path, spools):
    spools(long=audio_files.tone(3.0), short=audio_files.tone(1.0))
    told = combine(CombineTask(mixes=(mix(tmp_path / "o.flac", short=1.0, long=0.0),), frames=None))
    written = read(tmp_path / "o.flac")
    assert told.frames == len(written) == 3 * SAMPLE_RATE
    assert audio_files.rms(written[:SAMPLE_RATE]) == pytest.approx(audio_files.TONE_RMS, rel=1e-3)
    assert not written[SAMPLE_RATE:].any()


@pytest.mark.parametrize("frames", [SAMPLE_RATE // 2, SAMPLE_RATE * 2, 1])
def test_the_length_can_be_told(tmp_path, spools, frames):
    spools(vocals=audio_files.tone())
    combine(CombineTask(mixes=(mix(tmp_path / "v.flac", vocals=1.0),), frames=frames))
    assert len(read(tmp_path / "v.flac")) == frames


def test_silence_is_not_scaled(tmp_path, spools):
    spools(nothing=np.zeros((2, 1000), np.float32))
    told = combine(CombineTask(mixes=(mix(tmp_path / "n.flac", nothing=1.0),), frames=None))
    assert told.factor == 1.0
    assert told.levels[0].peak == told.levels[0].rms == 0.0


def test_a_spool_that_is_not_finite_is_no_stem(tmp_path, spools):
    sound = audio_files.tone()
    sound[0, 5] = np.nan
    spools(broken=sound)
    with pytest.raises(ValueError, match="finite"):
        combine(CombineTask(mixes=(mix(tmp_path / "b.flac", broken=1.0),), frames=None))
    assert not (tmp_path / "b.flac").exists()
