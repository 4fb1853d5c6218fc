"""The bot's own links, which end with `/privacy` and never appear in the log."""

import asyncio
import hmac
import socket
import sqlite3
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from sandbox.errors import Json
from tests.e2e import reading, songs
from tests.e2e.bot_harness import BotHarness, ConnectedUser, open_bot_harness
from tests.e2e.conftest import SETTINGS
from tests.unit.storage.upkeep.test_forgetting import traces

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.model,
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="package"),
]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest_asyncio.fixture(loop_scope="package")
async def linking(tmp_path: Path) -> AsyncIterator[BotHarness]:
    """A separate bot that delivers by link only."""
    address = f"127.0.0.1:{free_port()}"
    settings = SETTINGS | {
        "STEMCORD_DELIVERY": "links",
        "STEMCORD_OPS_ADDRESS": address,
        "STEMCORD_PUBLIC_URL": f"http://{address}",
    }
    async with open_bot_harness(tmp_path, settings) as opened:
        yield opened


def links_in(message: Json) -> list[str]:
    lines = reading.text(message).splitlines()
    return [line.partition("](")[2].partition(")")[0] for line in lines if line.startswith("[")]


def mixer_page(bot: BotHarness, answer: Json, public_url: str) -> str:
    """Return the address of a job's mixer page, signed with the bot's own key."""
    with closing(sqlite3.connect(bot.data_dir / "stemcord.db")) as database:
        [(key,)] = database.execute("SELECT value FROM meta WHERE key = 'link key'").fetchall()
    job_id = str(bot.records.job_id(answer))
    mac = hmac.digest(bytes.fromhex(key), f"m\n{job_id}\n".encode(), "sha256")[:18]
    ticket = f"{job_id}.{urlsafe_b64encode(mac).decode()}"
    return f"{public_url}/m/{ticket}/"


async def status_of(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status


async def test_stems_are_fetched_by_link_until_their_user_is_forgotten(
    linking: BotHarness, song: Path, tmp_path: Path
) -> None:
    guest = await linking.guest()
    answer = await guest.split(song, format="wav")
    message = await guest.sees(answer, lambda found: bool(links_in(found)))
    urls = links_in(message)
    assert len(urls) == 2
    for number, url in enumerate(urls):
        path = tmp_path / f"{number}.wav"
        async with aiohttp.ClientSession() as session:
            async with session.get(url) as whole:
                assert whole.content_type == "audio/wav"
                assert "Neon%20Rain%20%28" in whole.headers["Content-Disposition"]
                content = await whole.read()
            async with session.get(url, headers={"Range": "bytes=44-143"}) as part:
                assert (part.status, await part.read()) == (206, content[44:144])
        path.write_bytes(content)
        rate, sound = songs.read(path)
        assert (rate, sound.shape) == (44_100, songs.read(song)[1].shape)
    page = mixer_page(linking, answer, urls[0].partition("/r/")[0])
    found = [await status_of(page + name) for name in ("", "song.json", "0.opus", "0.flac")]
    assert found == [200] * 4

    await forget(guest)

    assert [await status_of(url) for url in (*urls, page, f"{page}0.opus")] == [410] * 4
    database = linking.data_dir / "stemcord.db"
    assert traces(database, int(guest.id), "Neon Rain", int(answer["message_id"])) == []
    log = linking.log.read_text()
    assert not [url for url in urls if url.split("/")[4] in log]
    assert await asyncio.to_thread(lambda: list((linking.data_dir / "jobs").iterdir())) == []


async def forget(guest: ConnectedUser) -> None:
    """Use `/privacy` to delete everything."""
    told = await guest.sees(await guest.command("privacy"), lambda _: True)
    await guest.press(told, "Delete everything")
    asked = await guest.wait_for(lambda found: "can't be undone" in reading.text(found))
    await guest.press(asked, "Yes, delete everything")
    await guest.wait_for(lambda found: "All your data is deleted" in reading.text(found))
