"""`python -m sandbox`."""

import asyncio
import signal
import sys

import aiohttp


async def test_program_prints_its_address_serves_the_page_and_ends_on_sigterm() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox", "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    first = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
    address = first.removeprefix("page:").strip()
    async with aiohttp.ClientSession() as http, http.get(address) as response:
        assert response.status == 200
        assert "<html" in (await response.text()).lower()
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 30) == 0
