import asyncio
import resource
import subprocess
import sys

import numpy as np
import pytest

from bot.audio.spool import SAMPLE_RATE
from bot.audio.tasks import Combined, DoesNotFit, Mix, Part, part_of
from bot.audio.tools import AudioTools
from bot.domain.errors import AudioFailed, NoRoom, Reason, Rejected
from bot.domain.recipes import AudioFormat
from bot.processes import spawn
from tests.support import audio_files
from tests.support.processes import descriptors, first_child, is_alive


def child(code):
    """Return the command of a child that does something else than its task."""
    return (sys.executable, "-P", "-c", "import os, sys, time; task = input()\n" + code)


async def test_a_song_goes_all_the_way_through_the_children(tmp_path, tools):
    song = audio_files.write(
        tmp_path / "song.m4a",
        "mp4",
        "aac",
        sound=audio_files.tone(2.0),
        tags={"title": "Neon Rain"},
    )
    decoded = await tools.decode(song, tmp_path / "song.f32", max_duration_s=60)
    assert (decoded.title, decoded.container) == ("Neon Rain", "mov")
    stem = tmp_path / "instrumental.flac"
    combined = await tools.combine(
        [Mix(path=stem, parts=(Part(spool=tmp_path / "song.f32"),))], frames=decoded.frames
    )
    assert combined.frames == decoded.frames
    encoded, picture = await asyncio.gather(
        tools.encode(
            stem, tmp_path / "out.mp3", format=AudioFormat.MP3, tags={"title": "Neon Rain"}
        ),
        tools.picture([("Instrumental", stem)], tmp_path / "out.png"),
    )
    assert encoded.size_bytes == (tmp_path / "out.mp3").stat().st_size
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [
        ".f32", ".flac", ".m4a", ".mp3", ".png",
    ]  # fmt: skip


async def test_relative_paths_mean_the_same_to_a_child(tmp_path, tools, monkeypatch):
    monkeypatch.chdir(tmp_path)
    song = audio_files.write(tmp_path / "song.wav", "wav", "pcm_s16le")
    decoded = await tools.decode(
        song.relative_to(tmp_path), (tmp_path / "a.f32").relative_to(tmp_path), max_duration_s=9
    )
    assert decoded.frames == SAMPLE_RATE


async def test_a_refusal_in_the_child_is_one_in_the_bot(tmp_path, tools):
    (tmp_path / "song.mp3").write_text("la la la")
    with pytest.raises(Rejected) as refusal:
        await tools.decode(tmp_path / "song.mp3", tmp_path / "a.f32", max_duration_s=9)
    assert refusal.value.problem.reason is Reason.NOT_AUDIO


async def test_a_song_that_is_too_long_leaves_no_spool(tmp_path, tools):
    song = audio_files.write(tmp_path / "song.wav", "wav", "pcm_s16le", sound=audio_files.tone(2.0))
    with pytest.raises(Rejected) as refusal:
        await tools.decode(song, tmp_path / "a.f32", max_duration_s=1.0)
    assert refusal.value.problem.reason is Reason.TOO_LONG
    assert list(tmp_path.iterdir()) == [song]


async def test_a_stem_that_does_not_fit_leaves_no_file(tmp_path, tools):
    audio_files.write_spool(tmp_path / "v.f32", audio_files.tone())
    stem = tmp_path / "v.flac"
    await tools.combine([Mix(path=stem, parts=(Part(spool=tmp_path / "v.f32"),))])
    with pytest.raises(DoesNotFit):
        await tools.encode(stem, tmp_path / "v.opus", format=AudioFormat.OPUS, max_bytes=100)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v.f32", "v.flac"]


async def test_a_cancelled_decode_leaves_neither_process_nor_file(tmp_path, tools):
    samples = np.zeros((2, SAMPLE_RATE * 120), np.float32)
    song = audio_files.write(tmp_path / "song.wav", "wav", "pcm_s16le", sound=samples)
    call = asyncio.create_task(tools.decode(song, tmp_path / "a.f32", max_duration_s=600))
    pid = await first_child()
    async with asyncio.timeout(30):
        while not (tmp_path / "a.f32.part").exists():
            await asyncio.sleep(0.001)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert not is_alive(pid)
    assert list(tmp_path.iterdir()) == [song]


@pytest.mark.parametrize("death", ["SIGXCPU", "SIGSEGV", "SIGABRT"])
async def test_a_file_that_kills_its_decoder_is_broken(tmp_path, death):
    tools = AudioTools(child=child(f"import signal; os.kill(os.getpid(), signal.{death})"))
    with pytest.raises(Rejected) as refusal:
        await tools.decode(tmp_path / "song", tmp_path / "a.f32", max_duration_s=9)
    assert refusal.value.problem.reason is Reason.BROKEN_FILE


@pytest.mark.parametrize(
    "end",
    [
        "os.kill(os.getpid(), 9)",
        "raise OSError('disk full')",
        "print('nonsense')",
        "pass",
        """print('{"answer": {"frames": "many"}}')""",
    ],
)
async def test_any_other_end_of_a_child_is_our_own_failure(tmp_path, end):
    tools = AudioTools(child=child(end))
    with pytest.raises(AudioFailed):
        await tools.decode(tmp_path / "song", tmp_path / "a.f32", max_duration_s=9)


async def test_a_child_that_crashes_on_our_own_files_is_our_failure(tmp_path):
    tools = AudioTools(child=child("os.abort()"))
    with pytest.raises(AudioFailed):
        await tools.picture([("Vocals", tmp_path / "v.flac")], tmp_path / "p.png")


async def test_a_child_that_cannot_be_started_is_our_failure(tmp_path):
    tools = AudioTools(child=(str(tmp_path / "nothing"),))
    with pytest.raises(AudioFailed):
        await tools.decode(tmp_path / "song", tmp_path / "a.f32", max_duration_s=9)


@pytest.mark.skipif(sys.platform != "linux", reason="writes to /dev/full")
@pytest.mark.parametrize("task", ["decode", "combine", "encode", "picture"])
async def test_a_full_disk_is_told_from_a_fault_of_the_sound(tmp_path, tools, task):
    song = audio_files.write(tmp_path / "song.wav", "wav", "pcm_s16le", sound=audio_files.tone(2.0))
    audio_files.write_spool(tmp_path / "v.f32", audio_files.tone())
    mix = Mix(path=tmp_path / "v.flac", parts=(Part(spool=tmp_path / "v.f32"),))
    await tools.combine([mix])
    into = mix.path if task == "combine" else tmp_path / "into"
    part_of(into).symlink_to("/dev/full")
    calls = {
        "decode": lambda: tools.decode(song, into, max_duration_s=60),
        "combine": lambda: tools.combine([mix]),
        "encode": lambda: tools.encode(mix.path, into, format=AudioFormat.MP3),
        "picture": lambda: tools.picture([("Vocals", mix.path)], into),
    }
    with pytest.raises(NoRoom):
        await calls[task]()
    assert not part_of(into).is_symlink()


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
async def test_a_machine_that_can_start_no_process_has_no_room(tmp_path, tools):
    song = audio_files.write(tmp_path / "song.wav", "wav", "pcm_s16le")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors(), hard))
    try:
        with pytest.raises(NoRoom):
            await tools.decode(song, tmp_path / "a.f32", max_duration_s=60)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (await tools.decode(song, tmp_path / "a.f32", max_duration_s=60)).frames == SAMPLE_RATE


async def test_what_a_child_writes_to_standard_error_is_logged(tmp_path, caplog):
    tools = AudioTools(child=child("raise ZeroDivisionError('so it goes')"))
    with pytest.raises(AudioFailed):
        await tools.decode(tmp_path / "song", tmp_path / "a.f32", max_duration_s=9)
    assert "so it goes" in caplog.text


async def test_only_so_many_children_run_at_once(tmp_path, caplog):
    code = (
        f"import pathlib; here = pathlib.Path({str(tmp_path)!r}); me = here / str(os.getpid())\n"
        "me.touch(); time.sleep(0.2); n = len(list(here.iterdir()))\n"
        "print('running:', n, file=sys.stderr)\n"
        """me.unlink(); print('{"answer": {"factor": 1.0, "frames": 1, "levels": []}}')"""
    )
    tools = AudioTools(at_once=2, child=child(code))
    answers = await asyncio.gather(*(tools.combine([]) for _ in range(5)))
    assert answers == [Combined(factor=1.0, frames=1, levels=())] * 5
    running = [int(record.getMessage().split("running: ")[1]) for record in caplog.records]
    assert len(running) == 5
    assert max(running) == 2


def test_the_bot_itself_loads_none_of_the_heavy_libraries():
    code = "import sys, bot.audio.tools; print({'av', 'numpy', 'PIL', 'scipy'} & set(sys.modules))"
    ended = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=spawn.environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ended.stdout.strip() == "set()"
