from pathlib import Path

import pytest
import pytest_asyncio

from bot.engine.engine import Engine
from bot.engine.model_catalogue import SPLEETER
from bot.engine.weights import Weights
from tests.unit.engine import nets


@pytest.fixture(scope="session")
def small_model(tmp_path_factory):
    """A models directory with a small network in place of Spleeter."""
    directory = tmp_path_factory.mktemp("models")
    weights = Weights(SPLEETER, directory)
    with weights.workspace() as place:
        weights.install(nets.spleeter(place / "net.onnx"), notice="none")
    return directory


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(small_model):
    """An engine whose worker, once started, serves one test after the other."""
    engine = Engine(models_dir=small_model, model=SPLEETER, threads=1)
    yield engine
    await engine.close()


@pytest_asyncio.fixture(loop_scope="module")
async def fresh_engine(small_model):
    """An engine without a worker so far."""
    engine = Engine(models_dir=small_model, model=SPLEETER, threads=1)
    yield engine
    await engine.close()


@pytest.fixture
def is_running():
    def look(pid):
        return Path(f"/proc/{pid}").exists()

    return look
