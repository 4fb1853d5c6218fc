"""The embedded engine on a graphics card that is simulated by a fake onnxruntime."""

import asyncio
import logging
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from bot.domain.recipes import Stem
from bot.engine.engine import Engine
from bot.engine.model_catalogue import SPLEETER
from bot.engine.worker_host import OutOfMemory
from tests.support.fake_gpu import Card, make_environment
from tests.support.processes import is_confined
from tests.unit.engine import nets

LONG = 44_100 * 40
"""Several blocks, so that two can be processed at a time."""


@pytest_asyncio.fixture
async def engine_on(small_model, tmp_path):
    """Return a function that builds an engine for a graphics card."""
    engines = []

    def build(card, *, threads=2):
        python = make_environment(tmp_path / "other", card)
        engine = Engine(models_dir=small_model, model=SPLEETER, threads=threads, gpu_python=python)
        engines.append(engine)
        return engine

    yield build
    for engine in engines:
        await engine.close()


def command_of(pid):
    return Path(f"/proc/{pid}/cmdline").read_text()


async def killed(engine):
    os.kill(engine.pid, signal.SIGKILL)
    while engine.pid is not None:
        await asyncio.sleep(0.01)


async def voice(engine, tmp_path, *, frames=20_000):
    song = tmp_path / "song.f32"
    nets.write_spool(song, nets.song(frames))
    stems = await engine.separate(
        song,
        frames=frames,
        stems=[Stem.VOCALS, Stem.INSTRUMENTAL],
        into=tmp_path / "out",
        progress=lambda _: None,
    )
    samples = {stem: nets.read_spool(path) for stem, path in stems.items()}
    assert np.allclose(sum(samples.values()), nets.song(frames), atol=1e-6)
    return samples[Stem.VOCALS]


async def test_a_card_that_works_is_used_and_named_in_the_first_line(engine_on, tmp_path):
    engine = engine_on(Card.WORKS)
    assert await engine.try_gpu() is None
    assert engine.declared.device == "cuda"
    assert engine.declared.device_note == ""
    assert is_confined(engine.pid)
    await voice(engine, tmp_path)


async def test_the_first_worker_proves_the_card_and_the_next_need_not(engine_on):
    engine = engine_on(Card.WORKS)
    await engine.try_gpu()
    first = command_of(engine.pid)
    await killed(engine)
    await engine.warm_up()
    assert "--proved" not in first
    assert "--proved" in command_of(engine.pid)


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        (Card.ABSENT, "onnxruntime offers only CPUExecutionProvider"),
        (Card.LIES, "CUDAExecutionProvider was asked for, and the runtime uses CPUExecutionProv"),
        (Card.FAILS, "CUDAExecutionProvider cannot load the model"),
        (Card.WRONG, "CUDAExecutionProvider computes wrongly: 28 dB from the CPU"),
        (Card.FULL, "Failed to allocate memory"),
    ],
)
async def test_a_card_that_cannot_be_trusted_is_left_alone_and_songs_are_split_on_the_cpu(
    engine_on, tmp_path, card, reason
):
    engine = engine_on(card)
    assert (await engine.try_gpu()).startswith(reason)
    assert engine.pid is None
    await voice(engine, tmp_path)
    assert engine.declared.device == "cpu"
    assert "--gpu" not in command_of(engine.pid)


async def test_a_card_with_too_little_memory_gets_half_the_blocks(engine_on, tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    engine = engine_on(Card.SMALL)
    assert await engine.try_gpu() is None
    await voice(engine, tmp_path, frames=LONG)
    assert engine.declared.device == "cuda"
    assert "continuing with 1 blocks at a time on the graphics card" in caplog.text


async def test_a_card_that_runs_out_even_so_is_given_up_for_an_hour(engine_on, tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    engine = engine_on(Card.WORKS)
    assert await engine.try_gpu() is None
    [card] = (tmp_path / "other").glob("lib/python*/site-packages/onnxruntime/card.txt")
    card.write_text(Card.FULL)
    await killed(engine)
    await voice(engine, tmp_path)
    assert engine.declared.device == "cpu"
    assert "continuing with 2 blocks at a time on the CPU" in caplog.text
    await voice(engine, tmp_path)
    assert caplog.text.count("memory ran out") == 2


async def test_a_cpu_without_memory_has_nothing_to_fall_back_to(engine_on, tmp_path, monkeypatch):
    engine = engine_on(Card.WORKS)

    async def no_memory(*_, **__):
        raise OutOfMemory("none left")

    monkeypatch.setattr(engine._host, "separate", no_memory)
    with pytest.raises(OutOfMemory):
        await voice(engine, tmp_path)
