from dataclasses import replace
from pathlib import Path

import pytest

from bot.audio.analysis_task import AnalyseTask, Listened, Role
from bot.audio.click_track import ClickTrack
from bot.audio.rendition_tasks import MasterPart, RenderedOutput, RenderTask
from bot.audio.tasks import (
    DecodeTask,
    Encoded,
    EncodeTask,
    FileRejected,
    PictureTask,
    Row,
)
from bot.domain.errors import Reason
from bot.domain.recipes import AudioFormat
from bot.processes.ipc import MalformedMessage
from bot.workers.audio.portable_tasks import (
    WORTH_BYTES,
    ChildFailed,
    PortableTask,
    is_worth_sending,
    packed,
    unpacked,
)

JOB, FAR = Path("/data/jobs/k7f2q"), Path("/far/away")
DECODE = DecodeTask(
    source=JOB / "input", into=JOB / "mixture.f32", max_frames=10, cover=JOB / "cover.jpg"
)
ENCODE = EncodeTask(
    stem=JOB / "masters" / "vocals.flac",
    into=JOB / "parcel" / "Née (Vocals).mp3",
    format=AudioFormat.MP3,
    max_bytes=1000,
    title="../../Née\0",
    artist=None,
    album=None,
    cover=JOB / "cover.jpg",
)
RENDER = RenderTask(
    files=tuple(
        RenderedOutput(
            path=JOB / f"{number}.rendered.flac",
            parts=(MasterPart(master=JOB / f"{number}.flac"), MasterPart(master=JOB / "0.flac")),
        )
        for number in range(12)
    ),
    frames=100,
    cents=-200,
    click=ClickTrack(padding_frames=1, beats=(1, 2), bars=(3,)),
)


@pytest.mark.parametrize("task", [DECODE, ENCODE, RENDER])
def test_a_task_arrives_with_files_of_the_other_machine(task: PortableTask):
    sent = packed(task)
    assert str(JOB) not in sent.message
    arrived = unpacked(sent.message, FAR)
    assert arrived.message == sent.message
    assert arrived.inputs.keys() == sent.inputs.keys()
    assert arrived.results.keys() == sent.results.keys()
    assert set(arrived.task.inputs) == {FAR / "in" / name for name in sent.inputs}
    assert {path.parent for path in arrived.task.outputs} <= {FAR / "out"}


def test_a_rendition_leaves_no_spools():
    assert sorted(packed(RENDER).results.values()) == sorted(file.path for file in RENDER.files)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"in-1"', '"/etc/passwd"'),
        ('"in-1"', '"../in-1"'),
        ('"in-1"', '"in-7"'),
        ('"in-1"', '"in-01"'),
        ('"in-1"', '"out-0"'),
        ('"out-0"', '"in-0"'),
        ('"out-0"', '"/root/.ssh/authorized_keys"'),
        ('"out-0"', "null"),
        ('"EncodeTask"', '"CombineTask"'),
        ('"max_bytes": 1000', '"max_bytes": "1000"'),
        ('"max_bytes": 1000', '"max_bytes": 1000, "more": 1'),
    ],
)
def test_a_message_with_other_files_or_fields_is_malformed(old: str, new: str):
    message = packed(ENCODE).message
    assert old in message
    with pytest.raises(MalformedMessage):
        unpacked(message.replace(old, new), FAR)


def test_an_answer_names_the_results_and_no_path():
    here = packed(ENCODE)
    there = unpacked(here.message, FAR)
    answer = Encoded(
        path=there.task.outputs[0], size_bytes=5, format=AudioFormat.MP3, bit_rate=64_000
    )
    message = there.encode_answer(answer)
    assert str(FAR) not in message
    assert here.decode_answer(message) == Encoded(
        path=ENCODE.into, size_bytes=5, format=AudioFormat.MP3, bit_rate=64_000
    )


@pytest.mark.parametrize("path", ["/etc/passwd", "in-0", "out-1", "../out-0"])
def test_an_answer_about_another_file_is_malformed(path: str):
    message = (
        f'{{"Encoded": {{"path": "{path}", "size_bytes": 5, "format": "mp3", "bit_rate": 1}}}}'
    )
    with pytest.raises(MalformedMessage):
        packed(ENCODE).decode_answer(message)
    with pytest.raises(MalformedMessage):
        packed(ENCODE).encode_answer(
            Encoded(path=Path(path), size_bytes=5, format=AudioFormat.MP3, bit_rate=1)
        )


@pytest.mark.parametrize("answer", [FileRejected(reason=Reason.TOO_LONG), ChildFailed(detail="9")])
def test_refusals_and_failures_travel_as_they_are(answer: FileRejected | ChildFailed):
    parcel = packed(DECODE)
    assert parcel.decode_answer(parcel.encode_answer(answer)) == answer


def test_long_tasks_are_worth_sending_and_songs_are_decoded_elsewhere_only_if_they_would_wait(
    tmp_path: Path,
):
    file = tmp_path / "file"
    file.write_bytes(bytes(WORTH_BYTES))
    encode = EncodeTask(
        stem=file,
        into=tmp_path / "out",
        format=AudioFormat.MP3,
        max_bytes=None,
        title=None,
        artist=None,
        album=None,
    )
    decode = DecodeTask(source=file, into=tmp_path / "out", max_frames=1)
    picture = PictureTask(rows=(Row(label="vocals", stem=file),), into=tmp_path / "out")
    analyse = AnalyseTask(parts=(Listened(master=file, role=Role.EVERYTHING),))
    output = RenderedOutput(path=tmp_path / "out", parts=(MasterPart(master=file),))
    assert is_worth_sending(encode, is_busy=False)
    assert is_worth_sending(decode, is_busy=True)
    assert not is_worth_sending(decode, is_busy=False)
    assert is_worth_sending(RenderTask(files=(output,), frames=1), is_busy=False)
    for cheap in (picture, analyse, replace(encode, format=AudioFormat.FLAC)):
        assert not is_worth_sending(cheap, is_busy=True)
    file.write_bytes(bytes(WORTH_BYTES - 1))
    assert not is_worth_sending(encode, is_busy=True)
    file.unlink()
    assert not is_worth_sending(encode, is_busy=True)
