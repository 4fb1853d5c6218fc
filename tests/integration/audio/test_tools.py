import asyncio
import json
import resource
import sys
from dataclasses import replace

import numpy as np
import pytest
import pytest_asyncio

from bot.audio.all_tasks import Answer, Task
from bot.audio.child import __main__ as child
from bot.audio.rendition_tasks import MasterPart, RenderedOutput, RenderTask
from bot.audio.spool import SAMPLE_RATE
from bot.audio.tasks import (
    MOST_COVER_BYTES,
    Combined,
    CombineTask,
    DecodeTask,
    DiskFull,
    DoesNotFit,
    EncodeTask,
    FitTask,
    MeasureTask,
    Mix,
    Part,
    PassageTask,
    PictureTask,
    Refusal,
    Row,
    part_of,
)
from bot.audio.tools import AudioTools
from bot.domain.errors import AudioFailed, ChildLost, NoRoom, Reason, Rejected
from bot.domain.recipes import AudioFormat
from bot.processes import ipc, landlock, spawn
from tests.support import audio_files
from tests.support.processes import (
    children,
    cpu_s,
    descriptors,
    first_child,
    forking,
    is_alive,
    is_confined,
    python,
    until,
)


@pytest_asyncio.fixture(loop_scope="module")
async def fresh_tools():
    """Tools that have not started a child yet."""
    async with AudioTools() as tools:
        yield tools


@pytest.fixture(scope="module")
def code_file(tmp_path_factory):
    return tmp_path_factory.mktemp("program") / "code.py"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def programmable(code_file):
    """Tools whose children run the code in a file instead of their task."""
    async with AudioTools(server=_running(code_file)) as tools:
        yield tools


@pytest.fixture
def program(code_file, programmable):
    """Set the code that the children run."""

    def make(code):
        code_file.write_text(code)
        return programmable

    return make


def _running(code_file):
    return forking(f"exec(open({str(code_file)!r}).read())")


pytestmark = pytest.mark.asyncio(loop_scope="module")

NORMALLY = (
    "from bot.audio.all_tasks import Task; from bot.audio.child import __main__ as child;"
    " from bot.processes import ipc;"
    " print(child.answer(ipc.decode(task.encode(), Task)).decode())"
)
"""The code that the child runs instead."""


async def test_a_cover_goes_from_a_confined_decoder_to_a_confined_encoder(tools, tmp_path):
    picture = audio_files.a_picture("PNG")
    song = audio_files.write_with_picture(tmp_path / "song", "mp3", "libmp3lame", picture)
    cover = tmp_path / "job" / "cover.jpg"
    cover.parent.mkdir()
    await tools.decode(song, cover.with_name("a.f32"), max_duration_s=60, cover=cover)
    stem, into = tmp_path / "stems" / "vocals.flac", tmp_path / "out" / "vocals.mp3"
    for path in (stem, into):
        path.parent.mkdir()
    await tools.combine([Mix(path=stem, parts=(Part(spool=cover.with_name("a.f32")),))])
    await tools.encode(stem, into, format=AudioFormat.MP3, cover=cover)
    assert cover.read_bytes() in into.read_bytes()


@pytest.mark.parametrize("size_bytes", [0, MOST_COVER_BYTES + 1])
async def test_what_cannot_be_a_cover_is_deleted(program, tmp_path, size_bytes):
    write = "cover = json.loads(task)['DecodeTask']['cover']"
    tools = program(f"{forged()}\n{write}\nopen(cover, 'wb').write(bytes({size_bytes}))")
    cover = tmp_path / "cover.jpg"
    (tmp_path / "song").write_bytes(b"x")
    await tools.decode(tmp_path / "song", tmp_path / "a.f32", max_duration_s=9, cover=cover)
    assert not cover.exists()


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
    spool, frames = tmp_path / "song.f32", decoded.frames
    assert await tools.measure([[Part(spool=spool)]], frames=frames) == combined.levels
    assert await tools.passage([spool], frames=frames) == 0
    assert (await tools.fit(spool, spool)).gain == pytest.approx(1.0, rel=1e-3)
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


async def test_a_cancelled_decode_leaves_neither_process_nor_file(tmp_path, fresh_tools):
    others = children()
    samples = np.zeros((2, SAMPLE_RATE * 120), np.float32)
    song = audio_files.write(tmp_path / "song.wav", "wav", "pcm_s16le", sound=samples)
    call = asyncio.create_task(fresh_tools.decode(song, tmp_path / "a.f32", max_duration_s=600))
    await until(lambda: children() - others, within_s=30)
    [server] = children() - others
    pid = await first_child(server)
    async with asyncio.timeout(30):
        while not (tmp_path / "a.f32.part").exists():
            await asyncio.sleep(0.001)
    assert is_confined(pid)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert not is_alive(pid)
    assert list(tmp_path.iterdir()) == [song]


@pytest.mark.parametrize("death", ["SIGXCPU", "SIGSEGV", "SIGABRT", "SIGILL"])
async def test_a_file_that_kills_its_decoder_is_broken(tmp_path, death, program):
    tools = program(f"if 'hostile' in task: os.kill(os.getpid(), signal.{death})\n{NORMALLY}")
    with pytest.raises(Rejected) as refusal:
        await tools.decode(tmp_path / "hostile", tmp_path / "a.f32", max_duration_s=9)
    assert refusal.value.problem.reason is Reason.BROKEN_FILE


@pytest.mark.parametrize("death", ["SIGILL", "SIGSEGV", "SIGABRT", "SIGBUS"])
async def test_a_machine_on_which_every_decoder_crashes_does_not_blame_the_file(
    tmp_path, program, death
):
    tools = program(f"os.kill(os.getpid(), signal.{death})")
    with pytest.raises(AudioFailed, match="known good sound"):
        await tools.decode(tmp_path / "song", tmp_path / "a.f32", max_duration_s=9)


async def test_a_child_that_the_system_kills_is_no_verdict_on_its_task(tmp_path, program):
    tools = program("os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(ChildLost, match="was killed"):
        await tools.decode(tmp_path / "song", tmp_path / "a.f32", max_duration_s=9)


async def test_a_machine_on_which_the_libraries_do_not_load_does_not_blame_the_file(tmp_path):
    tools = AudioTools(server=python("import os; os.kill(os.getpid(), 4)"))
    with pytest.raises(AudioFailed, match="status -4"):
        await tools.decode(tmp_path / "song", tmp_path / "a.f32", max_duration_s=9)
    await tools.aclose()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux confines children")
@pytest.mark.parametrize(
    ("act", "error"),
    [
        pytest.param("open(secret).read()", "PermissionError", id="reads another file"),
        pytest.param("__import__('socket').socket()", "PermissionError", id="opens a socket"),
        pytest.param("bytearray(400 << 20)", "MemoryError", id="takes more memory"),
    ],
)
async def test_a_forked_child_is_limited_and_confined(tmp_path, program, act, error, caplog):
    if act.startswith("open") and not landlock.version():
        pytest.skip("this kernel offers no Landlock")
    (tmp_path / "secret").write_text("s3cret")
    (tmp_path / "song").mkdir()
    tools = program(
        f"from bot.audio.child import __main__ as child\nsecret = {str(tmp_path / 'secret')!r}\n"
        f"child.answer = lambda task: {act}\nchild._perform_confined(task)"
    )
    with pytest.raises(AudioFailed):
        await tools.decode(tmp_path / "song" / "in", tmp_path / "song" / "a.f32", max_duration_s=9)
    assert error in caplog.text


async def test_a_child_costs_little_beyond_its_work(tmp_path, fresh_tools):
    song = audio_files.write(tmp_path / "song.wav", "wav", "pcm_s16le", sound=audio_files.tone(0.1))
    others = children()
    await fresh_tools.decode(song, tmp_path / "a.f32", max_duration_s=9)
    [server] = children() - others
    before = cpu_s(server)
    for _ in range(10):
        await fresh_tools.decode(song, tmp_path / "a.f32", max_duration_s=9)
    # An interpreter with numpy and PyAV takes 0.25 s to start.
    assert (cpu_s(server) - before) / 10 < 0.1


async def test_a_machine_that_decodes_passes_its_check(tools):
    await tools.check()


@pytest.mark.parametrize(
    "code",
    [
        "os.abort()",
        "os._exit(1)",
        "print('nonsense')",
        """print('{"FileRejected": {"reason": "broken_file"}}')""",
    ],
)
async def test_a_machine_that_does_not_decode_fails_its_check(program, code):
    with pytest.raises(AudioFailed):
        await program(code).check()


@pytest.mark.parametrize(
    "end",
    [
        "os.kill(os.getpid(), 9)",
        "raise OSError('disk full')",
        "print('nonsense')",
        "pass",
        """print('{"Decoded": {"frames": "many"}}')""",
    ],
)
async def test_any_other_end_of_a_child_is_our_own_failure(tmp_path, end, program):
    tools = program(end)
    with pytest.raises(AudioFailed):
        await tools.decode(tmp_path / "song", tmp_path / "a.f32", max_duration_s=9)


async def test_a_child_that_crashes_on_our_own_files_is_our_failure(tmp_path, program):
    tools = program("os.abort()")
    with pytest.raises(AudioFailed):
        await tools.picture([("Vocals", tmp_path / "v.flac")], tmp_path / "p.png")


async def test_a_child_that_cannot_be_started_is_our_failure(tmp_path):
    tools = AudioTools(server=(str(tmp_path / "nothing"),))
    with pytest.raises(AudioFailed):
        await tools.decode(tmp_path / "song", tmp_path / "a.f32", max_duration_s=9)


@pytest.mark.skipif(sys.platform != "linux", reason="writes to /dev/full")
@pytest.mark.parametrize(
    "kind", [DecodeTask, CombineTask, EncodeTask, PictureTask], ids=lambda kind: kind.__name__
)
async def test_a_full_disk_is_told_from_a_fault_of_the_sound(tmp_path, kind):
    into, stem = tmp_path / "into", tmp_path / "v.flac"
    song = audio_files.write(tmp_path / "song.wav", "wav", "pcm_s16le", sound=audio_files.tone(2.0))
    audio_files.write_spool(tmp_path / "v.f32", audio_files.tone())
    mix = Mix(path=stem, parts=(Part(spool=tmp_path / "v.f32"),))
    child.answer(CombineTask(mixes=(mix,), frames=None))
    part_of(into).symlink_to("/dev/full")
    tasks: dict[type[Task], Task] = {
        DecodeTask: DecodeTask(source=song, into=into, max_frames=60 * SAMPLE_RATE),
        CombineTask: CombineTask(mixes=(replace(mix, path=into),), frames=None),
        EncodeTask: EncodeTask(
            stem=stem,
            into=into,
            format=AudioFormat.MP3,
            max_bytes=None,
            title=None,
            artist=None,
            album=None,
        ),
        PictureTask: PictureTask(rows=(Row(label="Vocals", stem=stem),), into=into),
    }
    assert isinstance(ipc.decode(child.answer(tasks[kind]), Answer | Refusal), DiskFull)


def forged(**changes):
    """Return the code of a child that writes a second of sound and reports something else."""
    told = {"frames": 44_100, "container": "mp3", "codec": "mp3", "title": None, "artist": None,
            "album": None, "ends_early": False} | changes  # fmt: skip
    into = "import json; into = json.loads(task)['DecodeTask']['into']\n"
    write = f"{into}open(into, 'wb').write(bytes(352800))"
    return f"{write}\nprint({json.dumps({'Decoded': told})!r})"


async def test_a_child_that_tells_what_it_wrote_is_believed(tmp_path, program):
    tools = program(forged())
    decoded = await tools.decode(tmp_path / "song", tmp_path / "a.f32", max_duration_s=9)
    assert decoded.frames == SAMPLE_RATE


@pytest.mark.parametrize("frames", [0, -1, 1, 44_099, 44_101, 10**12])
async def test_a_child_that_tells_of_another_length_than_it_wrote_is_not_believed(
    tmp_path, frames, program
):
    tools = program(forged(frames=frames))
    with pytest.raises(AudioFailed):
        await tools.decode(tmp_path / "song", tmp_path / "a.f32", max_duration_s=9)
    assert not list(tmp_path.iterdir())


async def test_a_child_that_writes_more_than_was_allowed_is_not_believed(tmp_path, program):
    tools = program(forged())
    with pytest.raises(AudioFailed):
        await tools.decode(tmp_path / "song", tmp_path / "a.f32", max_duration_s=0.5)


@pytest.mark.parametrize("told", [{"path": "/etc/passwd"}, {"size_bytes": 9}, {"format": "wav"}])
async def test_a_child_that_tells_of_another_file_than_its_own_is_not_believed(
    tmp_path, told, program
):
    into = tmp_path / "v.mp3"
    answer = {"path": str(into), "size_bytes": 3, "format": "mp3", "bit_rate": None} | told
    line = json.dumps({"Encoded": answer})
    tools = program(f"open({str(into)!r}, 'wb').write(b'abc'); print({line!r})")
    with pytest.raises(AudioFailed):
        await tools.encode(tmp_path / "v.flac", into, format=AudioFormat.MP3)


async def test_a_link_in_place_of_a_spool_is_not_followed(tmp_path, program):
    (tmp_path / "secret").write_bytes(bytes(352_800))
    code = forged().replace("open(into, 'wb').write(bytes(352800))", "os.symlink('secret', into)")
    tools = program(code)
    with pytest.raises(AudioFailed):
        await tools.decode(tmp_path / "song", tmp_path / "a.f32", max_duration_s=9)


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
async def test_a_machine_that_can_start_no_process_has_no_room(tmp_path, fresh_tools):
    song = audio_files.write(tmp_path / "song.wav", "wav", "pcm_s16le")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors(), hard))
    try:
        with pytest.raises(NoRoom):
            await fresh_tools.decode(song, tmp_path / "a.f32", max_duration_s=60)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    decoded = await fresh_tools.decode(song, tmp_path / "a.f32", max_duration_s=60)
    assert decoded.frames == SAMPLE_RATE


async def test_a_full_disk_in_the_child_is_one_in_the_bot(tmp_path, program):
    tools = program("""print('{"DiskFull": {"detail": "no space left"}}')""")
    with pytest.raises(NoRoom, match="no space left"):
        await tools.combine([])


async def test_a_task_that_is_too_long_is_our_own_failure(tmp_path, program):
    with pytest.raises(AudioFailed, match="too long"):
        await program(NORMALLY).encode(
            tmp_path / "v.flac",
            tmp_path / "v.mp3",
            format=AudioFormat.MP3,
            tags={"title": '"' * (ipc.MOST_LINE_BYTES // 3)},
        )


async def test_what_a_child_writes_to_standard_error_is_logged(tmp_path, caplog, program):
    tools = program("raise ZeroDivisionError('so it goes')")
    with pytest.raises(AudioFailed):
        await tools.decode(tmp_path / "song", tmp_path / "a.f32", max_duration_s=9)
    assert "so it goes" in caplog.text


async def test_only_so_many_children_run_at_once(tmp_path, caplog):
    code = (
        f"import pathlib; here = pathlib.Path({str(tmp_path)!r}); me = here / str(os.getpid())\n"
        "me.touch(); time.sleep(0.2); n = len(list(here.iterdir()))\n"
        "print('running:', n, file=sys.stderr)\n"
        """me.unlink(); print('{"Combined": {"factor": 1.0, "frames": 1, "levels": []}}')"""
    )
    async with AudioTools(server=forking(code), at_once=2) as tools:
        answers = await asyncio.gather(*(tools.combine([]) for _ in range(5)))
    assert answers == [Combined(factor=1.0, frames=1, levels=())] * 5
    running = [int(record.getMessage().split("running: ")[1]) for record in caplog.records]
    assert len(running) == 5
    assert max(running) == 2


async def test_decoders_do_not_keep_other_work_waiting():
    code = """print('{"Combined": {"factor": 1.0, "frames": 1, "levels": []}}')"""
    tools = AudioTools(server=forking(code), at_once=1)
    async with tools, tools._decoding, asyncio.timeout(20):
        assert await tools.combine([]) == Combined(factor=1.0, frames=1, levels=())


async def test_the_bot_itself_loads_none_of_the_heavy_libraries():
    code = "import sys, bot.audio.tools; print({'av', 'numpy', 'PIL', 'scipy'} & set(sys.modules))"
    bot = await asyncio.create_subprocess_exec(
        *python(code), env=spawn.environment(), stdout=asyncio.subprocess.PIPE
    )
    told, _ = await bot.communicate()
    assert told == b"set()\n"


async def test_children_find_everything_loaded(tmp_path):
    picture = audio_files.a_picture("JPEG")
    song = audio_files.write_with_picture(tmp_path / "song", "mp3", "libmp3lame", picture)
    spool, stem, cover = tmp_path / "a.f32", tmp_path / "v.flac", tmp_path / "cover.jpg"
    parts = (Part(spool=spool),)
    tags: dict[str, None] = {"title": None, "artist": None, "album": None}
    tasks: list[Task] = [
        DecodeTask(source=song, into=spool, max_frames=60 * SAMPLE_RATE, cover=cover),
        FitTask(song=spool, stem=spool, max_lag_frames=8192),
        MeasureTask(sums=(parts,), frames=SAMPLE_RATE),
        PassageTask(spools=(spool,), frames=SAMPLE_RATE),
        CombineTask(mixes=(Mix(path=stem, parts=parts),), frames=None),
        *(
            EncodeTask(
                stem=stem,
                into=tmp_path / f"v.{each}",
                format=each,
                max_bytes=None,
                cover=cover,
                **tags,
            )
            for each in AudioFormat
        ),
        PictureTask(rows=(Row(label="Vocals", stem=stem),), into=tmp_path / "v.png"),
        RenderTask(
            files=(RenderedOutput(path=tmp_path / "r.flac", parts=(MasterPart(master=stem),)),),
            frames=SAMPLE_RATE,
            cents=100,
        ),
    ]
    code = (
        "import sys\n"
        "from bot.audio.all_tasks import Task\n"
        "from bot.processes import ipc\n"
        "from bot.audio.child import __main__ as child\n"
        "child._load()\n"
        "before = set(sys.modules)\n"
        "assert 'scipy.signal' not in before  # takes a second to import\n"
        "for line in sys.stdin: child.answer(ipc.decode(line.encode(), Task))\n"
        "print(sorted(set(sys.modules) - before))\n"
    )
    bot = await asyncio.create_subprocess_exec(
        *python(code),
        env=spawn.environment(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await bot.communicate(b"".join(map(ipc.encode, tasks)))
    assert told == b"[]\n"
