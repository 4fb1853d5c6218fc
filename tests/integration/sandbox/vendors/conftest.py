import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeVar

import httpx
import numpy as np
import pytest

from sandbox.client import SandboxClient
from sandbox.server import Sandbox
from sandbox.song import write_song
from sandbox.vendors.audio_files import read_song
from sandbox.vendors.separate import Samples
from sandbox.vendors.vendor_set import Vendors
from tests.integration.sandbox.vendors.customers import (
    CUSTOMERS,
    AudioCleanerCustomer,
    Customer,
    FineVoiceCustomer,
    SoundverseCustomer,
)

_Kind = TypeVar("_Kind", bound=Customer)

SONG_S = 0.5


def sound_of(content: bytes, folder: Path) -> Samples:
    path = folder / "heard"
    path.write_bytes(content)
    return np.concatenate(list(read_song(path)), axis=1)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        for vendor in running.vendors.all:
            vendor.behaviour.latency_s = 0.0
        yield running


@pytest.fixture
def vendors(sandbox: Sandbox) -> Vendors:
    return sandbox.vendors


@pytest.fixture
async def ada(sandbox: Sandbox) -> AsyncIterator[SandboxClient]:
    async with SandboxClient(sandbox.base_url) as client:
        yield client


@pytest.fixture(scope="session")
def song_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_song(tmp_path_factory.mktemp("songs") / "Neon Rain.wav", seconds=SONG_S)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=30, verify=False) as client:
        yield client


async def uploaded(http: httpx.AsyncClient, sandbox: Sandbox, name: str, content: bytes) -> str:
    """Upload a file, and return its signed CDN address."""
    files = {"file": (name, io.BytesIO(content))}
    answer = await http.post(f"{sandbox.base_url}/sandbox/uploads", files=files)
    return str(answer.json()["url"])


@pytest.fixture
async def song(http: httpx.AsyncClient, sandbox: Sandbox, song_file: Path) -> str:
    return await uploaded(http, sandbox, song_file.name, song_file.read_bytes())


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def customer_of(kind: type[_Kind], sandbox: Sandbox, stack: AsyncExitStack) -> _Kind:
    base = f"{sandbox.base_url}/vendors/{kind.vendor}"
    return kind(
        await stack.enter_async_context(httpx.AsyncClient(base_url=base, timeout=30, verify=False))
    )


@pytest.fixture
async def audiocleaner(sandbox: Sandbox, stack: AsyncExitStack) -> AudioCleanerCustomer:
    return await customer_of(AudioCleanerCustomer, sandbox, stack)


@pytest.fixture
async def finevoice(sandbox: Sandbox, stack: AsyncExitStack) -> FineVoiceCustomer:
    return await customer_of(FineVoiceCustomer, sandbox, stack)


@pytest.fixture
async def soundverse(sandbox: Sandbox, stack: AsyncExitStack) -> SoundverseCustomer:
    return await customer_of(SoundverseCustomer, sandbox, stack)


@pytest.fixture(params=CUSTOMERS)
async def customer(
    request: pytest.FixtureRequest, sandbox: Sandbox, stack: AsyncExitStack
) -> Customer:
    """A customer of each vendor in turn."""
    return await customer_of(CUSTOMERS[request.param], sandbox, stack)
