import json
from pathlib import Path

import pytest

from bot.audio import wire
from bot.audio.tasks import (
    Combined,
    CombineTask,
    Decoded,
    DecodeTask,
    DoesNotFit,
    Drawn,
    Encoded,
    EncodeTask,
    Level,
    Measured,
    MeasureTask,
    Mix,
    Part,
    Passage,
    PassageTask,
    PictureTask,
    Row,
)
from bot.domain.errors import Reason, Rejected
from bot.domain.recipes import AudioFormat

TASKS = [
    DecodeTask(source=Path("/a b/ü.mp3"), into=Path("/x.f32"), max_frames=5),
    CombineTask(
        mixes=(Mix(path=Path("/v.flac"), parts=(Part(spool=Path("/v.f32"), gain=-1.0),)),),
        frames=None,
    ),
    MeasureTask(
        sums=((Part(spool=Path("/v.f32")), Part(spool=Path("/s.f32"), lag_frames=3)), ()),
        frames=5,
    ),
    PassageTask(spools=(Path("/v.f32"),), frames=5),
    EncodeTask(
        stem=Path("/v.flac"),
        into=Path("/v.mp3"),
        format=AudioFormat.MP3,
        max_bytes=10,
        title="Line\nbreak",
        artist=None,
        album="Line",
    ),
    PictureTask(rows=(Row(label="Vocals", stem=Path("/v.flac")),), into=Path("/p.png")),
]
DECODED = Decoded(
    frames=44_100, container="mp3", codec="mp3", title="T", artist=None, album=None, ends_early=True
)
ANSWERS = [
    Measured(levels=(Level(peak=1.0, rms=0.25),)),
    Passage(start=4),
    DECODED,
    Combined(factor=0.5, frames=3, levels=(Level(peak=1.0, rms=0.25), Level(peak=0.0, rms=0.0))),
    Encoded(path=Path("/v.mp3"), size_bytes=9, format=AudioFormat.OPUS, bit_rate=None),
    Drawn(size_bytes=1),
]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
def test_a_task_arrives_as_it_was_sent_in_one_line(task):
    line = wire.task_line(task)
    assert line.count(b"\n") == 1
    assert wire.read_task(line) == task


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: type(answer).__name__)
def test_an_answer_arrives_as_it_was_sent(answer):
    assert wire.read_answer(type(answer), wire.answer_line(answer)) == answer


def test_a_refusal_is_raised_with_its_reason():
    with pytest.raises(Rejected) as refusal:
        wire.read_answer(Decoded, wire.refusal_line(Rejected(Reason.TOO_LONG)))
    assert refusal.value.problem.reason is Reason.TOO_LONG


def test_what_does_not_fit_is_raised_with_its_sizes():
    line = wire.refusal_line(DoesNotFit(needed_bytes=20, max_bytes=10))
    with pytest.raises(DoesNotFit) as refusal:
        wire.read_answer(Encoded, line)
    assert (refusal.value.needed_bytes, refusal.value.max_bytes) == (20, 10)


def forged(**changes):
    told = json.loads(wire.answer_line(DECODED))
    told["answer"] |= changes
    return json.dumps(told).encode()


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"[" * 100_000,
        b'{"rejected": "because"}',
        b'{"answer": []}',
        b'{"answer": {}}',
        b'{"needed_bytes": "1", "max_bytes": 2}',
        forged(frames="44100"),
        forged(frames=True),
        forged(frames=None),
        forged(title=["T"]),
        forged(extra=1),
    ],
)
def test_an_answer_of_another_shape_is_not_believed(line):
    with pytest.raises(wire.WireError):
        wire.read_answer(Decoded, line)
