import asyncio
import os
from dataclasses import replace

import pytest

from bot.domain.recipes import Stem
from bot.engine.model_catalogue import SPLEETER
from bot.engine.protocol import Alive, Done, Failed, Progress, Separate, SeparationFault
from bot.engine.weights import Weights
from bot.engine.worker_process import WorkerProcess, embedded_worker
from tests.unit.engine import nets

FRAMES = 44_100 * 5


@pytest.fixture
async def worker(small_model):
    """The embedded worker, which says that it is alive a hundred times a second."""
    launch = embedded_worker(SPLEETER.name, Weights(SPLEETER, small_model).path, threads=1)
    launch = replace(launch, command=(*launch.command, "--alive-every-s=0.01"))
    worker = await WorkerProcess.start(launch)
    async with asyncio.timeout(60):
        yield worker
    await worker.end(grace_s=2.0)


@pytest.fixture
def files(tmp_path):
    """An open song, and an open file for each stem."""
    song = nets.write_spool(tmp_path / "song.f32", nets.song(FRAMES))
    opened = [os.open(song, os.O_RDONLY)]
    opened += [os.open(tmp_path / s, os.O_RDWR | os.O_CREAT) for s in sorted(SPLEETER.stems)]
    yield opened
    for descriptor in opened:
        os.close(descriptor)


def request(*, model=SPLEETER.name):
    return Separate(id=1, model=model, frames=FRAMES, stems=(Stem.VOCALS,))


async def last_of(worker):
    """Return the last reply to a request, and the kinds of earlier ones."""
    kinds = set()
    while isinstance(reply := await worker.hear(), Alive | Progress):
        kinds.add(type(reply))
    return reply, kinds


async def test_the_first_message_says_what_the_worker_can_do(worker):
    ready = await worker.ready()
    (model,) = ready.models
    assert model.name == "spleeter"
    assert set(model.stems) == SPLEETER.stems
    assert model.licence == "MIT"
    assert ready.device == "cpu"
    assert ready.memory_free > 2**20
    assert await worker.ready() is ready


async def test_the_worker_says_that_it_is_alive_beside_its_progress(worker, files):
    await worker.ready()
    await worker.say(request(), files)
    assert await last_of(worker) == (Done(id=1), {Alive, Progress})


async def test_a_model_that_the_worker_lacks_fails_without_hurting_it(worker, files):
    await worker.ready()
    await worker.say(request(model="other"), files)
    reply, _ = await last_of(worker)
    assert isinstance(reply, Failed)
    assert reply.trouble is SeparationFault.MODEL
    await worker.say(request(), files)
    assert (await last_of(worker))[0] == Done(id=1)
