import asyncio
import os
import shutil
import signal
import sys
import textwrap
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from bot.domain.errors import EngineFailed, ModelUnavailable, NoRoom
from bot.domain.recipes import Stem
from bot.engine.engine import Engine
from bot.engine.model_catalogue import SPLEETER
from bot.engine.protocol import PROTOCOL
from bot.engine.worker_host import EngineStarved, EngineTimes
from bot.engine.worker_process import Launch
from tests.support.processes import is_alive, is_confined, until
from tests.unit.engine import nets

pytestmark = pytest.mark.asyncio(loop_scope="module")

KARAOKE = (Stem.VOCALS, Stem.INSTRUMENTAL)
SHORT = 20_000
LONG = 44_100 * 600
"""Long enough for a test to interfere. It is never separated to the end."""


@dataclass
class Call:
    """A separation in progress."""

    engine: Engine
    song: Path
    into: Path
    frames: int

    def __post_init__(self):
        self.fractions = []
        self.has_begun = asyncio.Event()
        self.task = asyncio.create_task(
            self.engine.separate(
                self.song,
                frames=self.frames,
                stems=KARAOKE,
                into=self.into,
                progress=self.progress,
            )
        )

    def progress(self, fraction):
        self.fractions.append(fraction)
        self.has_begun.set()

    async def begun(self):
        async with asyncio.timeout(20):
            await self.has_begun.wait()
        return self


@pytest_asyncio.fixture(loop_scope="module")
async def start(engine, tmp_path):
    """Start separating a song of this many frames; a long one is silence."""
    tasks = []

    def call(frames, *, by=engine, name="out"):
        song = tmp_path / f"{frames}.f32"
        if frames == LONG:
            song.touch()
            os.truncate(song, frames * 8)
        else:
            nets.write_spool(song, nets.song(frames))
        call = Call(by, song, tmp_path / name, frames)
        tasks.append(call.task)
        return call

    yield call
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def running(engine):
    """Return the process id of the running worker."""
    assert engine.pid is not None
    return engine.pid


async def works(start, **options):
    """Return whether a short song is separated completely."""
    call = start(SHORT, name="after", **options)
    stems = await call.task
    total = sum(nets.read_spool(path) for path in stems.values())
    return bool(np.allclose(total, nets.song(SHORT), atol=1e-6))


async def test_separates_one_song_after_another_in_one_worker(engine, start):
    call = start(SHORT)
    stems = await call.task
    assert {stem: path.name for stem, path in stems.items()} == {
        Stem.VOCALS: "vocals.f32",
        Stem.INSTRUMENTAL: "instrumental.f32",
    }
    assert call.fractions[0] == 0.0
    pid = running(engine)
    assert await works(start)
    assert engine.pid == pid


async def test_a_worker_that_was_started_ahead_separates_the_song(engine, start):
    await engine.warm_up()
    pid = running(engine)
    await engine.warm_up()
    assert await works(start)
    assert engine.pid == pid


async def test_a_worker_that_was_started_ahead_loads_the_model_by_itself(fresh_engine):
    await fresh_engine.warm_up()
    libraries = Path(f"/proc/{running(fresh_engine)}/maps")
    async with asyncio.timeout(30):
        while "onnxruntime" not in libraries.read_text():
            await asyncio.sleep(0.02)


async def test_a_worker_that_was_started_for_nothing_ends(small_model, is_running):
    engine = Engine(
        models_dir=small_model, model=SPLEETER, threads=1, times=EngineTimes(idle_s=0.05)
    )
    await engine.warm_up()
    pid = running(engine)
    async with asyncio.timeout(20):
        while is_running(pid):
            await asyncio.sleep(0.01)
    await engine.close()


async def test_a_worker_whose_start_is_cancelled_ends_too(small_model, is_running):
    engine = Engine(
        models_dir=small_model, model=SPLEETER, threads=1, times=EngineTimes(idle_s=0.05)
    )
    warming = asyncio.create_task(engine.warm_up())
    async with asyncio.timeout(20):
        while engine.pid is None:
            await asyncio.sleep(0)
    pid = running(engine)
    warming.cancel()
    async with asyncio.timeout(20):
        while is_running(pid):
            await asyncio.sleep(0.01)
    await engine.close()


async def test_a_closed_engine_starts_no_worker_ahead(fresh_engine):
    await fresh_engine.close()
    await fresh_engine.warm_up()
    assert fresh_engine.pid is None


async def test_two_songs_at_once_wait_for_each_other(engine, start):
    first, second = start(SHORT, name="one"), start(SHORT, name="two")
    one, two = await asyncio.gather(first.task, second.task)
    assert one[Stem.VOCALS].read_bytes() == two[Stem.VOCALS].read_bytes()


async def test_a_cancelled_song_frees_the_same_worker_and_leaves_no_file(engine, start):
    call = await start(LONG).begun()
    pid = engine.pid
    call.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call.task
    assert not list(call.into.iterdir())
    assert await works(start)
    assert engine.pid == pid


async def test_a_song_cancelled_in_line_does_not_disturb_the_one_at_work(engine, start):
    first = await start(SHORT).begun()
    second = start(LONG, name="second")
    await asyncio.sleep(0)
    second.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second.task
    assert (await first.task)[Stem.VOCALS].exists()


async def test_a_killed_worker_fails_its_song_and_is_replaced(engine, start):
    call = await start(LONG).begun()
    pid = running(engine)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(EngineStarved, match="status -9"):
        await call.task
    assert not list(call.into.glob("*"))
    assert await works(start)
    assert engine.pid != pid


@pytest.mark.slow
async def test_a_worker_killed_between_songs_is_replaced(engine, start, is_running):
    assert await works(start)
    pid = running(engine)
    os.kill(pid, signal.SIGKILL)
    while is_running(pid):
        await asyncio.sleep(0.01)
    assert await works(start)


def scripted(models_dir, script, *, protocol=PROTOCOL, stall_s=60.0, silence_s=60.0):
    """Return an engine whose worker reports that it is ready and then runs the script."""
    program = f"""
        import json, sys, time

        def say(kind, **fields):
            print(json.dumps({{kind: fields}}), flush=True)

        say("Ready", protocol={protocol}, device="cpu", device_name="",
            device_note="", memory_free=None, models=[], missing=[])
        {script}
        sys.stdin.read()
    """
    return Engine(
        models_dir=models_dir,
        model=replace(SPLEETER, cost=replace(SPLEETER.cost, stall_s=stall_s)),
        threads=1,
        times=EngineTimes(silence_s=silence_s),
        launch=lambda _: Launch(
            command=(sys.executable, "-c", textwrap.dedent(program)), environment={}
        ),
    )


@pytest.mark.slow
async def test_a_worker_that_is_alive_may_take_its_time(small_model, start):
    script = """[(time.sleep(0.5), say("Alive")) for _ in range(24)]; say("Done", id=1)"""
    engine = scripted(small_model, script, silence_s=10.0)
    assert set(await start(0, by=engine).task) == set(KARAOKE)
    await engine.close()


async def test_a_worker_that_is_alive_without_progress_is_hung(small_model, start, is_running):
    script = """[(time.sleep(0.05), say("Alive")) for _ in range(1000)]"""
    engine = scripted(small_model, script, stall_s=0.3)
    await engine.warm_up()
    pid = running(engine)
    with pytest.raises(EngineFailed, match="no progress"):
        await start(0, by=engine).task
    assert not is_running(pid)
    await engine.close()


@pytest.mark.slow
async def test_progress_gives_a_worker_more_time(small_model, start):
    script = """[(time.sleep(0.6), say("Alive"), say("Progress", id=1, fraction=i / 10))
         for i in range(10)]; say("Done", id=1)"""
    engine = scripted(small_model, script, stall_s=5.0)
    call = start(0, by=engine)
    await call.task
    assert len(call.fractions) == 10
    await engine.close()


async def test_a_worker_of_another_protocol_is_not_given_a_song(small_model, start, is_running):
    engine = scripted(small_model, "", protocol=PROTOCOL + 1)
    with pytest.raises(EngineFailed, match="protocol"):
        await start(0, by=engine).task
    await engine.close()


async def test_a_worker_that_never_says_it_is_ready_is_killed(small_model, start):
    engine = Engine(
        models_dir=small_model,
        model=SPLEETER,
        threads=1,
        times=EngineTimes(silence_s=0.2),
        launch=lambda _: Launch(command=("/bin/sleep", "60"), environment={}),
    )
    with pytest.raises(EngineFailed, match="ready"):
        await start(0, by=engine).task
    assert engine.pid is None
    await engine.close()


@pytest.mark.slow
async def test_a_hung_worker_is_killed(small_model, start, is_running):
    engine = Engine(
        models_dir=small_model, model=SPLEETER, threads=1, times=EngineTimes(silence_s=15.0)
    )
    call = await start(LONG, by=engine).begun()
    pid = running(engine)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(EngineFailed, match="sent nothing"):
        await call.task
    assert not is_running(pid)
    await engine.close()


@pytest.mark.slow
async def test_a_worker_that_does_not_heed_a_cancel_is_killed(small_model, start, is_running):
    engine = Engine(
        models_dir=small_model, model=SPLEETER, threads=1, times=EngineTimes(grace_s=0.2)
    )
    call = await start(LONG, by=engine).begun()
    pid = running(engine)
    os.kill(pid, signal.SIGSTOP)
    call.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call.task
    assert not is_running(pid)
    assert await works(start, by=engine)
    await engine.close()


@pytest.mark.slow
async def test_an_idle_worker_gives_its_memory_back(small_model, start, is_running):
    engine = Engine(
        models_dir=small_model, model=SPLEETER, threads=1, times=EngineTimes(idle_s=0.05)
    )
    assert await works(start, by=engine)
    async with asyncio.timeout(30):
        while engine.pid is not None:
            await asyncio.sleep(0.01)
    assert await works(start, by=engine)
    await engine.close()


async def test_closing_ends_the_song_and_the_worker(fresh_engine, start, is_running):
    call = await start(LONG, by=fresh_engine).begun()
    pid = fresh_engine.pid
    await fresh_engine.close()
    with pytest.raises(EngineFailed):
        await call.task
    assert not is_running(pid)
    with pytest.raises(EngineFailed, match="closed"):
        await start(SHORT, by=fresh_engine).task


async def test_a_spool_of_another_length_fails_without_hurting_the_worker(engine, start, tmp_path):
    song = nets.write_spool(tmp_path / "song.f32", nets.song(SHORT))
    with pytest.raises(EngineFailed, match="mixture"):
        await Call(engine, song, tmp_path / "out", SHORT + 1).task
    pid = engine.pid
    assert await works(start)
    assert engine.pid == pid


async def test_a_full_disk_is_said_and_does_not_hurt_the_worker(engine, start, tmp_path):
    into = tmp_path / "full"
    into.mkdir()
    for stem in KARAOKE:
        (into / f"{stem}.f32").symlink_to("/dev/full")
    with pytest.raises(NoRoom):
        await start(SHORT, name="full").task
    pid = engine.pid
    assert await works(start)
    assert engine.pid == pid


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_the_worker_is_confined_and_keeps_no_file_of_a_song(engine, start):
    await start(SHORT).task
    assert is_confined(engine.pid)
    open_files = Path(f"/proc/{engine.pid}/fd")
    assert not [file for file in open_files.iterdir() if file.readlink().suffix == ".f32"]


@pytest.mark.skipif(sys.platform != "linux", reason="writes to /dev/null")
async def test_a_stem_that_is_not_whole_is_not_believed(engine, start, tmp_path):
    into = tmp_path / "out"
    into.mkdir()
    (into / "vocals.f32").symlink_to("/dev/null")
    with pytest.raises(EngineFailed, match="incomplete"):
        await start(SHORT).task
    assert not list(into.iterdir())


async def test_a_song_that_is_not_there_fails_without_hurting_the_worker(engine, start, tmp_path):
    with pytest.raises(EngineFailed):
        await Call(engine, tmp_path / "none.f32", tmp_path / "out", SHORT).task
    assert await works(start)


async def test_without_the_model_it_says_so(tmp_path, start):
    engine = Engine(models_dir=tmp_path, model=SPLEETER, threads=1)
    assert not engine.is_ready
    with pytest.raises(ModelUnavailable, match="python -m bot models"):
        await start(SHORT, by=engine).task
    await engine.close()


async def test_a_damaged_model_is_the_models_fault(small_model, tmp_path, start):
    models = shutil.copytree(small_model, tmp_path / "models")
    file = models / SPLEETER.file_name
    file.write_bytes(bytes(file.stat().st_size))
    engine = Engine(models_dir=models, model=SPLEETER, threads=1)
    with pytest.raises(ModelUnavailable):
        await start(SHORT, by=engine).task
    await engine.close()


async def test_a_stem_that_the_model_lacks_is_refused_at_once(engine, tmp_path):
    with pytest.raises(ValueError, match="piano"):
        await engine.separate(tmp_path, frames=1, stems=[Stem.PIANO], into=tmp_path, progress=print)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_the_worker_knows_no_secret_and_steps_back_for_others(
    fresh_engine, start, monkeypatch
):
    monkeypatch.setenv("DISCORD_TOKEN", "secret-token")
    await start(SHORT, by=fresh_engine).task
    with suppress(PermissionError):  # its memory is hidden from all but root
        assert b"secret-token" not in Path(f"/proc/{fresh_engine.pid}/environ").read_bytes()
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, fresh_engine.pid) == min(own + 15, 19)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can bind a child to its parent")
async def test_the_worker_ends_when_the_bot_is_killed(small_model, tmp_path):
    (tmp_path / "song.f32").touch()
    os.truncate(tmp_path / "song.f32", LONG * 8)
    program = f"""
        import asyncio
        from pathlib import Path
        from bot.engine.engine import Engine
        from bot.engine.model_catalogue import SPLEETER
        engine = Engine(models_dir=Path({str(small_model)!r}), model=SPLEETER, threads=1)
        here = Path({str(tmp_path)!r})
        asyncio.run(engine.separate(
            here / "song.f32", frames={LONG}, stems=["vocals"], into=here,
            progress=lambda _: print(engine.pid, flush=True),
        ))
    """
    bot = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(program), stdout=asyncio.subprocess.PIPE
    )
    assert bot.stdout
    pid = int(await bot.stdout.readline())
    bot.kill()
    await bot.communicate()
    await until(lambda: not is_alive(pid))


async def test_the_bots_side_loads_no_network():
    program = (
        "import sys, bot.engine.engine, bot.engine.model_catalogue, bot.engine.weights;"
        "sys.exit(bool({'numpy', 'scipy', 'onnx', 'onnxruntime'} & set(sys.modules)))"
    )
    bot = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await bot.wait() == 0
