from pathlib import Path

import pytest

from bot.audio.all_tasks import Answer, Task
from bot.audio.analysis_task import AnalyseMixesTask, AnalyseTask, Listened, Role
from bot.audio.answers import accepted
from bot.audio.pack_tasks import Peaks, PeaksTask
from bot.audio.rendition_tasks import MasterPart, Rendered, RenderedOutput, RenderTask
from bot.audio.tasks import (
    Decoded,
    DecodeTask,
    DiskFull,
    DoesNotFit,
    Drawn,
    Encoded,
    EncodeTask,
    FileRejected,
    Level,
    Measured,
    MeasureTask,
    TooLarge,
)
from bot.domain.analysis import Analysis
from bot.domain.errors import AudioFailed, NoRoom, Reason, Rejected
from bot.domain.recipes import AudioFormat

LEVEL = Level(peak=0.5, rms=0.1)


@pytest.fixture
def decode(tmp_path: Path) -> DecodeTask:
    return DecodeTask(
        source=tmp_path / "input", into=tmp_path / "a.f32", max_frames=4, cover=tmp_path / "c.jpg"
    )


def decoded(frames: int) -> Decoded:
    return Decoded(
        frames=frames, container="wav", codec="pcm", title=None, artist=None, album=None,
        ends_early=False,
    )  # fmt: skip


def test_a_refusal_is_raised(decode: DecodeTask):
    with pytest.raises(Rejected, match="too_long"):
        accepted(decode, Decoded, FileRejected(reason=Reason.TOO_LONG))
    with pytest.raises(DoesNotFit):
        accepted(decode, Decoded, TooLarge(needed_bytes=2, max_bytes=1))
    with pytest.raises(NoRoom):
        accepted(decode, Decoded, DiskFull(detail="full"))


def test_the_answer_to_another_task_is_none(decode: DecodeTask):
    with pytest.raises(AudioFailed, match="Drawn answers no DecodeTask"):
        accepted(decode, Decoded, Drawn(size_bytes=1))


def test_a_song_is_as_long_as_its_spool(decode: DecodeTask):
    decode.into.write_bytes(bytes(3 * 8))
    assert accepted(decode, Decoded, decoded(3)).frames == 3


@pytest.mark.parametrize(("frames", "size_bytes"), [(3, 16), (3, 25), (5, 40), (0, 0), (3, None)])
def test_a_spool_of_another_length_is_deleted(
    decode: DecodeTask, frames: int, size_bytes: int | None
):
    if size_bytes is not None:
        decode.into.write_bytes(bytes(size_bytes))
    with pytest.raises(AudioFailed):
        accepted(decode, Decoded, decoded(frames))
    assert not decode.into.exists()


def test_a_link_in_place_of_a_result_is_not_followed(decode: DecodeTask, tmp_path: Path):
    (tmp_path / "other").write_bytes(bytes(24))
    decode.into.symlink_to(tmp_path / "other")
    with pytest.raises(AudioFailed):
        accepted(decode, Decoded, decoded(3))
    assert (tmp_path / "other").exists()


def test_an_encoded_file_is_the_one_that_was_asked_for(tmp_path: Path):
    task = EncodeTask(
        stem=tmp_path / "a.flac", into=tmp_path / "a.mp3", format=AudioFormat.MP3, max_bytes=None,
        title=None, artist=None, album=None,
    )  # fmt: skip
    task.into.write_bytes(b"12345")
    good = Encoded(path=task.into, size_bytes=5, format=AudioFormat.MP3, bit_rate=1)
    assert accepted(task, Encoded, good) == good
    for bad in (
        Encoded(path=task.stem, size_bytes=5, format=AudioFormat.MP3, bit_rate=1),
        Encoded(path=task.into, size_bytes=6, format=AudioFormat.MP3, bit_rate=1),
        Encoded(path=task.into, size_bytes=5, format=AudioFormat.WAV, bit_rate=1),
    ):
        with pytest.raises(AudioFailed):
            accepted(task, Encoded, bad)


def test_every_rendition_exists_and_has_a_level(tmp_path: Path):
    parts = (MasterPart(master=tmp_path / "a.flac"),)
    files = tuple(RenderedOutput(path=tmp_path / name, parts=parts) for name in ("a", "b"))
    task = RenderTask(files=files, frames=100)
    good = Rendered(factor=1.0, frames=100, levels=(LEVEL, LEVEL))
    (tmp_path / "a").write_bytes(b"1")
    with pytest.raises(AudioFailed):
        accepted(task, Rendered, good)
    (tmp_path / "b").write_bytes(b"1")
    assert accepted(task, Rendered, good) == good
    for bad in (
        Rendered(factor=1.0, frames=99, levels=(LEVEL, LEVEL)),
        Rendered(factor=1.0, frames=100, levels=(LEVEL,)),
    ):
        with pytest.raises(AudioFailed):
            accepted(task, Rendered, bad)


@pytest.mark.parametrize(
    ("task", "answer"),
    [
        (
            AnalyseTask(parts=(Listened(master=Path("/none.flac"), role=Role.VOCALS),)),
            Analysis(tuning_cents=51),
        ),
        (AnalyseMixesTask(mixes=(), frames=44_100), Analysis(tuning_cents=51)),
        (PeaksTask(stems=(Path("/none.flac"),), slices=2), Peaks(stems=())),
        (MeasureTask(sums=((),), frames=2), Measured(levels=(LEVEL, LEVEL))),
    ],
)
def test_impossible_figures_are_refused(task: Task, answer: Answer):
    with pytest.raises(AudioFailed):
        accepted(task, type(answer), answer)
