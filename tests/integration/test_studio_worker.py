"""The studio's worker, run by its engine under this interpreter, with stand-in networks."""

import asyncio
import logging
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from bot.domain.errors import EngineFailed, ModelUnavailable
from bot.domain.recipes import Stem
from bot.engine.studio.studio_catalogue import read_catalogue
from bot.engine.studio.studio_engine import StudioEngine
from bot.engine.worker_host import EngineStarved, EngineTimes
from tests.support.processes import is_alive, is_confined
from tests.support.studio_catalogues import (
    DUET,
    KARAOKE,
    MODELS,
    NETWORKS,
    VOICE,
    StandIn,
    write_catalogue,
)
from tests.unit.engine import nets

FRAMES = 20_000
ENDLESS = 44_100 * 600


def song(tmp_path, frames=FRAMES):
    path = tmp_path / f"{frames}.f32"
    if frames == ENDLESS:
        path.touch()
        os.truncate(path, frames * 8)
    else:
        nets.write_spool(path, nets.song(frames))
    return path


@pytest_asyncio.fixture
async def studio(tmp_path):
    """Return a function that builds an engine for a catalogue in the models folder."""
    engines = []

    def build(networks=NETWORKS, models=MODELS, *, options=(), accept=None, **settings):
        write_catalogue(tmp_path / "models", networks, models)
        catalogue = read_catalogue(tmp_path / "models")
        names = [model.name for model in models] if accept is None else accept
        engine = StudioEngine(
            python=Path(sys.executable),
            catalogue=catalogue,
            models=catalogue.accepted(names),
            device=settings.pop("device", "auto"),
            threads=1,
            worker_options=options,
            **settings,
        )
        engines.append(engine)
        return engine

    yield build
    for engine in engines:
        await engine.close()


async def separated(engine, name, tmp_path, *, frames=FRAMES, stems=None, progress=None):
    if not engine.models:
        await engine.warm_up()
    model = engine.models[name]
    return await engine.separate(
        model,
        song(tmp_path, frames),
        frames=frames,
        stems=model.stems if stems is None else stems,
        into=tmp_path / "out",
        progress=progress or (lambda _: None),
    )


class Endless:
    """A separation that does not end on its own."""

    def __init__(self, engine, name, tmp_path):
        self.into = tmp_path / "out"
        self.begun = asyncio.Event()
        self.task = asyncio.create_task(
            separated(engine, name, tmp_path, frames=ENDLESS, progress=lambda _: self.begun.set())
        )

    async def until_begun(self):
        async with asyncio.timeout(30):
            await self.begun.wait()
        return self


def read(path):
    return nets.read_spool(path)


def level_db(samples):
    return 20 * np.log10(max(float(np.abs(samples).max()), 1e-30))


async def test_the_first_line_names_models_licences_and_what_is_lacking(studio, tmp_path):
    engine = studio()
    (tmp_path / "models/studio/six.ckpt").unlink()
    await engine.warm_up()
    ready = engine.declared
    assert {each.name: each.sums for each in ready.models} == {
        "duet": True,
        "karaoke": True,
        "dereverb": False,
        "parts": False,
    }
    assert [(each.name, each.reason) for each in ready.missing] == [
        ("six-stems", "six.ckpt is not there")
    ]
    assert ready.device == "cpu"
    assert ready.models[0].licence == "MIT"


async def test_models_that_were_not_accepted_are_not_served(studio):
    engine = studio(accept=["duet"])
    await engine.warm_up()
    assert engine.models.keys() == {"duet"}


@pytest.mark.parametrize("frames", [1, 2, 3, 2205, 4410, 20_000, 100_001])
async def test_stems_sum_to_the_song_to_the_last_frame(studio, tmp_path, frames):
    stems = await separated(studio(), "six-stems", tmp_path, frames=frames)
    total = sum(read(path).astype(np.float64) for path in stems.values())
    assert total.shape[-1] == frames
    assert level_db(total - nets.song(frames)) < -140  # one rounding of each sample
    rms = np.sqrt(np.square(total - nets.song(frames)).mean())
    assert 20 * np.log10(max(rms, 1e-30)) < -150


async def test_chunks_are_added_without_a_seam(studio, tmp_path):
    stems = await separated(studio(), "duet", tmp_path, frames=60_000)
    difference = read(stems[Stem.VOCALS]) - 0.375 * nets.song(60_000)
    assert level_db(difference) < -130


async def test_a_second_network_splits_what_the_first_gave(studio, tmp_path):
    stems = await separated(studio(), "karaoke", tmp_path)
    assert np.allclose(read(stems[Stem.LEAD_VOCALS]), 0.375 * 0.75 * nets.song(FRAMES), atol=1e-6)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "instrumental.f32",
        "lead_vocals.f32",
    ]


async def test_only_the_voice_loses_its_reverb(studio, tmp_path):
    stems = await separated(studio(), "dereverb", tmp_path)
    expected = (1 - 0.375 + 0.375 * 0.5) * nets.song(FRAMES)
    assert np.allclose(read(stems[Stem.DRY]), expected, atol=1e-6)


async def test_one_stem_alone_leaves_no_other_file(studio, tmp_path):
    await separated(studio(), "six-stems", tmp_path, stems=[Stem.GUITAR])
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["guitar.f32"]


async def test_progress_begins_at_nothing_and_grows_over_all_steps(studio, tmp_path):
    slow = [replace(network, pause_s=0.06) for network in NETWORKS]
    fractions: list[float] = []
    await separated(studio(slow), "karaoke", tmp_path, progress=fractions.append)
    assert fractions[0] == 0.0
    assert fractions == sorted(fractions)
    assert any(0.5 < fraction < 1 for fraction in fractions)


async def test_a_cancelled_song_ends_within_a_chunk_and_leaves_no_file(studio, tmp_path):
    engine = studio()
    call = await Endless(engine, "karaoke", tmp_path).until_begun()
    pid = engine.pid
    call.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call.task
    assert not list(call.into.iterdir())
    await separated(engine, "duet", tmp_path)
    assert engine.pid == pid


async def test_a_killed_worker_fails_its_song_and_is_replaced(studio, tmp_path):
    engine = studio()
    call = await Endless(engine, "six-stems", tmp_path).until_begun()
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(EngineStarved, match="status -9"):
        await call.task
    assert not list(call.into.iterdir())
    await separated(engine, "duet", tmp_path)


async def test_it_ends_within_a_second_of_its_input_in_the_middle_of_a_chunk(studio, tmp_path):
    slow = [replace(VOICE, pause_s=60.0)]
    engine = studio(slow, [DUET], times=EngineTimes(grace_s=5.0))
    call = await Endless(engine, "duet", tmp_path).until_begun()
    pid, clock = engine.pid, asyncio.get_running_loop().time
    began = clock()
    await engine.close()
    assert clock() - began < 3.0
    assert not is_alive(pid)
    with pytest.raises(EngineFailed):
        await call.task
    assert not list(call.into.iterdir())


async def test_a_song_of_the_wrong_length_fails_and_the_next_works(studio, tmp_path):
    engine = studio()
    await engine.warm_up()
    with pytest.raises(EngineFailed, match="mixture"):
        await engine.separate(
            engine.models["duet"],
            song(tmp_path),
            frames=FRAMES + 1,
            stems=[Stem.VOCALS],
            into=tmp_path / "out",
            progress=lambda _: None,
        )
    await separated(engine, "duet", tmp_path)


async def test_a_checkpoint_that_was_cut_off_is_not_offered(studio, tmp_path):
    engine = studio()
    checkpoint = tmp_path / "models/studio/voice.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    await engine.warm_up()
    assert engine.models.keys() == {"six-stems", "parts"}
    assert "voice.ckpt has" in engine.declared.missing[0].reason


async def test_a_checkpoint_that_was_exchanged_is_refused_and_other_models_work(studio, tmp_path):
    engine = studio()
    checkpoint = tmp_path / "models/studio/voice.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes().replace(b"0.375", b"0.125"))
    with pytest.raises(ModelUnavailable, match=r"voice.ckpt is not the file .* hash differs"):
        await separated(engine, "duet", tmp_path)
    assert not list((tmp_path / "out").iterdir())
    await separated(engine, "six-stems", tmp_path)


async def test_a_catalogue_with_a_wrong_hash_serves_nothing(studio, tmp_path):
    engine = studio()
    write_catalogue(tmp_path / "models", NETWORKS, MODELS, sha256="0" * 64)
    with pytest.raises(ModelUnavailable, match="hash differs"):
        await separated(engine, "duet", tmp_path)


async def test_a_network_without_the_output_that_the_catalogue_names_is_refused(studio, tmp_path):
    engine = studio()
    path = tmp_path / "models/studio/models.toml"
    path.write_text(path.read_text().replace('vocals = "vocals" }', 'sang = "vocals" }', 1))
    with pytest.raises(ModelUnavailable, match="voice has no output sang, but vocals"):
        await separated(engine, "duet", tmp_path)


async def test_the_network_used_first_goes_when_the_next_does_not_fit(studio, tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    large = [replace(network, mib=40) for network in NETWORKS]
    engine = studio(large, options=("--memory-mib=100",))
    await separated(engine, "karaoke", tmp_path)  # uses voice and lead
    await separated(engine, "duet", tmp_path)  # uses voice again
    await separated(engine, "parts", tmp_path)  # lead is dropped
    assert "lead is dropped: band needs its memory" in caplog.text
    await separated(engine, "duet", tmp_path)
    assert "voice is dropped" not in caplog.text
    assert caplog.text.count("voice is loaded") == 1


async def test_where_memory_runs_out_half_the_chunk_is_tried_in_another_process(
    studio, tmp_path, caplog
):
    engine = studio(
        [replace(VOICE, mib=40, workspace_mib=80)], [DUET], options=("--memory-mib=100",)
    )
    await engine.warm_up()
    pid = engine.pid
    stems = await separated(engine, "duet", tmp_path)
    assert engine.pid != pid
    assert np.allclose(read(stems[Stem.VOCALS]), 0.375 * nets.song(FRAMES), atol=1e-6)
    assert "chunks of half the length" in caplog.text


async def test_where_half_the_chunk_does_not_fit_either_the_song_is_starved(studio, tmp_path):
    engine = studio([replace(VOICE, mib=200)], [DUET], options=("--memory-mib=100",))
    with pytest.raises(EngineStarved, match="needs more than 100 MiB"):
        await separated(engine, "duet", tmp_path)
    assert engine.pid is None
    assert not list((tmp_path / "out").iterdir())


async def test_it_says_that_it_lives_while_a_chunk_takes_long(studio, tmp_path):
    slow = [replace(VOICE, pause_s=1.5, chunk=FRAMES * 2, overlap=1)]
    engine = studio(
        slow, [DUET], options=("--alive-every-s=0.1",), times=EngineTimes(silence_s=1.0)
    )
    await separated(engine, "duet", tmp_path)


async def test_without_alive_a_chunk_that_takes_long_is_given_up(studio, tmp_path):
    slow = [replace(VOICE, pause_s=30.0)]
    engine = studio(slow, [DUET], times=EngineTimes(silence_s=1.5))
    with pytest.raises(EngineFailed, match="sent nothing"):
        await separated(engine, "duet", tmp_path)


async def test_a_worker_that_lives_but_does_not_get_on_is_given_up(studio, tmp_path):
    slow = [replace(VOICE, pause_s=30.0)]
    engine = studio(slow, [DUET], options=("--alive-every-s=0.1",))
    await engine.warm_up()
    with pytest.raises(EngineFailed, match="no progress"):
        await engine.separate(
            replace(engine.models["duet"], stall_s=0.5),
            song(tmp_path),
            frames=FRAMES,
            stems=[Stem.VOCALS],
            into=tmp_path / "out",
            progress=lambda _: None,
        )


async def test_its_process_is_confined_and_knows_none_of_our_packages(
    studio, tmp_path, monkeypatch
):
    monkeypatch.setenv("DISCORD_TOKEN", "secret")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    engine = studio()
    await engine.warm_up()
    assert is_confined(engine.pid)
    environment = Path(f"/proc/{engine.pid}/environ").read_bytes().split(b"\0")
    assert not [each for each in environment if each.startswith((b"DISCORD", b"PYTHON"))]
    assert b"CUDA_VISIBLE_DEVICES=1" in environment


async def test_a_catalogue_may_describe_a_stem_without_a_formula_of_later_networks(
    studio, tmp_path
):
    both = StandIn(
        name="both", stems=["vocals", "lead_vocals"], steps=[("voice", "song"), ("lead", "vocals")]
    )
    engine = studio(models=[both, KARAOKE])
    stems = await separated(engine, "both", tmp_path, stems=[Stem.VOCALS])
    assert np.allclose(read(stems[Stem.VOCALS]), 0.375 * nets.song(FRAMES), atol=1e-6)


async def test_without_the_packages_of_its_kind_a_model_says_so(studio, tmp_path):
    """The worker runs under this interpreter, which has no torch."""
    engine = studio(device="cpu")
    path = tmp_path / "models/studio/models.toml"
    text = path.read_text().replace('kind = "gain"', 'kind = "bs_roformer"', 1)
    line = next(line for line in text.splitlines() if line.startswith("checkpoint = "))
    path.write_text(text.replace(line, f"{line}\n{line.replace('checkpoint', 'config')}", 1))
    checkpoint = tmp_path / "models/studio/voice.ckpt"
    (tmp_path / "models/studio/voice.yaml").write_bytes(checkpoint.read_bytes())
    with pytest.raises(ModelUnavailable, match="voice cannot be loaded: ModuleNotFoundError"):
        await separated(engine, "duet", tmp_path)
    await separated(engine, "six-stems", tmp_path)
