"""Construction of a running bot's providers, and the state that they share."""

import asyncio
from pathlib import Path

import pytest

from bot.cli.opening import provider_set
from bot.cli.opening.outbound import build_transport
from bot.cli.opening.provider_set import build_embedded, build_provider_set
from bot.config import load_settings
from bot.domain.attempt import RemoteFile
from bot.domain.clock import SystemClock
from bot.net.downloads import PARALLEL, Downloads
from tests.support.scripted_server import Connection, answering, ok, serving


async def never_ends(connection: Connection) -> None:
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx")
    await connection.until_closed()


async def test_a_vendor_with_slow_results_keeps_no_song_from_being_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with serving(never_ends) as vendor, serving(answering(ok(b"song"))) as discord:
        monkeypatch.setenv("STEMCORD_PROVIDERS", "finevoice")
        monkeypatch.setenv("FINEVOICE_API_KEY", "k-12345678")
        monkeypatch.setenv("FINEVOICE_BASE_URL", vendor.url)
        monkeypatch.setenv("STEMCORD_TRUSTED_HOSTS", discord.host)
        settings = load_settings()
        transport = build_transport(settings)
        downloads = Downloads(transport=transport)
        embedded = build_embedded(settings)
        [provider] = build_provider_set(
            settings,
            embedded=embedded,
            transport=transport,
            downloads=downloads,
            clock=SystemClock(),
        ).providers
        result = RemoteFile(f"{vendor.url}/stem")
        fetching = [
            asyncio.create_task(provider.fetch(result, tmp_path / str(number)))
            for number in range(PARALLEL)
        ]
        while len(vendor.requests) < PARALLEL:
            await asyncio.sleep(0.01)
        async with asyncio.timeout(5):
            song = tmp_path / "song"
            assert await downloads.fetch(discord.url, song, max_bytes=9, deadline_s=4.0) == 4
        for each in fetching:
            each.cancel()
        await asyncio.gather(*fetching, return_exceptions=True)
        await embedded.aclose()


@pytest.mark.parametrize(
    ("memory_mib", "cores", "threads"),
    [(None, 8, 2), (16_000, 8, 2), (16_000, 1, 1), (512, 8, 1), (640, 2, 2)],
)
def test_a_small_machine_runs_the_engine_on_one_thread(
    memory_mib: int | None, cores: int, threads: int
) -> None:
    assert provider_set._engine_threads(memory_mib, cores) == threads
