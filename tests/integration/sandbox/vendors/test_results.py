"""Results at signed, expiring addresses, and all the ways in which they can be wrong."""

from pathlib import Path

import httpx
import numpy as np
import pytest

from sandbox.client import SandboxClient
from sandbox.server import Sandbox
from sandbox.vendors.modes import Mode
from sandbox.vendors.vendor import Vendor
from sandbox.vendors.vendor_set import Vendors
from tests.integration.sandbox.vendors.conftest import SONG_S, sound_of
from tests.integration.sandbox.vendors.customers import AudioCleanerCustomer, Customer

HOUR_S = 3600
MIB = 1 << 20


@pytest.fixture
def vendor(vendors: Vendors) -> Vendor:
    return vendors.audiocleaner


@pytest.fixture
async def link(vendor: Vendor, audiocleaner: AudioCleanerCustomer, song: str) -> str:
    audiocleaner.model = 340
    [link] = await audiocleaner.results(song)
    return link


async def test_stems_are_as_long_as_the_song(
    customer: Customer, http: httpx.AsyncClient, song: str, tmp_path: Path
) -> None:
    stem = (await http.get((await customer.results(song))[-1])).content
    assert sound_of(stem, tmp_path).shape == (2, int(SONG_S * 44_100))


async def test_address_expires_by_the_sandbox_clock(
    vendor: Vendor, http: httpx.AsyncClient, link: str, ada: SandboxClient
) -> None:
    await ada.advance(24 * HOUR_S - 60)
    assert (await http.get(link)).status_code == 200
    await ada.advance(61)
    assert (await http.get(link)).status_code == 403


@pytest.mark.parametrize(
    ("old", "new"),
    [("Expires=", "Expires=9"), ("Signature=", "Signature=0"), ("?", "?x="), ("drums", "bass")],
)
async def test_address_that_was_tampered_with_is_dead(
    old: str, new: str, http: httpx.AsyncClient, link: str
) -> None:
    assert (await http.get(link.replace(old, new))).status_code == 403


async def test_part_of_a_result_can_be_read(http: httpx.AsyncClient, link: str) -> None:
    answer = await http.get(link, headers={"Range": "bytes=0-3"})
    assert (answer.status_code, answer.content) == (206, b"RIFF")


async def test_links_are_dead_at_first_and_good_when_asked_again(
    vendors: Vendors, audiocleaner: AudioCleanerCustomer, http: httpx.AsyncClient, song: str
) -> None:
    vendors.audiocleaner.behaviour.change(Mode.EXPIRED_LINKS)
    submitted = await audiocleaner.submit(song)
    first = audiocleaner.links(await audiocleaner.finished(submitted))
    again = audiocleaner.links(await audiocleaner.ask(submitted))
    assert [(await http.get(each)).status_code for each in first] == [403] * 4
    assert [(await http.get(each)).status_code for each in again] == [200] * 4


async def test_truncated_result_breaks_off_once_if_set_so(
    vendor: Vendor, http: httpx.AsyncClient, link: str
) -> None:
    vendor.behaviour.change(Mode.TRUNCATED_RESULT, times=1)
    async with http.stream("GET", link) as answer:
        declared = int(answer.headers["Content-Length"])
        with pytest.raises(httpx.RemoteProtocolError):
            await answer.aread()
    assert answer.num_bytes_downloaded == declared // 2
    assert len((await http.get(link)).content) == declared


async def test_wrong_content_type_comes_with_the_right_bytes(
    vendor: Vendor, http: httpx.AsyncClient, link: str
) -> None:
    vendor.behaviour.change(Mode.WRONG_CONTENT_TYPE)
    answer = await http.get(link)
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.content.startswith(b"RIFF")


async def test_oversize_result_declares_no_length_and_goes_on(
    vendor: Vendor, http: httpx.AsyncClient, link: str
) -> None:
    vendor.behaviour.change(Mode.OVERSIZE_RESULT)
    received = 0
    async with http.stream("GET", link) as answer:
        assert "Content-Length" not in answer.headers
        async for piece in answer.aiter_raw():
            received += len(piece)
            if received > 8 * MIB:
                break
    assert received > 8 * MIB


async def test_gzip_bomb_is_small_on_the_wire_and_large_unpacked(
    vendor: Vendor, http: httpx.AsyncClient, link: str
) -> None:
    vendor.behaviour.change(Mode.GZIP_BOMB)
    unpacked = 0
    async with http.stream("GET", link) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        async for piece in answer.aiter_bytes():
            unpacked += len(piece)
            if unpacked > 8 * MIB:
                break
    assert unpacked > 200 * answer.num_bytes_downloaded


async def test_redirect_goes_to_a_host_that_was_never_named_and_tells_who_follows(
    vendor: Vendor, http: httpx.AsyncClient, link: str, sandbox: Sandbox
) -> None:
    vendor.behaviour.change(Mode.REDIRECT_PRIVATE)
    answer = await http.get(link)
    assert answer.status_code == 302
    target = httpx.URL(answer.headers["Location"])
    assert target.host not in sandbox.base_url
    assert "private" not in vendor.log[-1]["outcome"].removeprefix("redirect_private")
    await http.get(target.copy_with(host="127.0.0.1"))
    assert vendor.log[-1]["outcome"] == "followed to a private address"


async def test_song_behind_an_expired_address_fails_its_task(
    audiocleaner: AudioCleanerCustomer, song: str, ada: SandboxClient
) -> None:
    await ada.advance(24 * HOUR_S + 1)
    answer = await audiocleaner.finished(await audiocleaner.submit(song))
    assert answer.json()["data"]["status"] == "failed"


async def test_song_elsewhere_than_on_this_machine_is_not_fetched(
    vendor: Vendor, audiocleaner: AudioCleanerCustomer
) -> None:
    submitted = await audiocleaner.submit("https://songs.example/a.mp3")
    answer = await audiocleaner.finished(submitted)
    assert answer.json()["data"]["status"] == "failed"
    task = vendor.tasks.find(submitted.json()["data"]["job_id"])
    assert task is not None
    assert task.reason == "a stand-in fetches from this machine only"


async def test_files_of_old_tasks_are_deleted(
    vendor: Vendor,
    audiocleaner: AudioCleanerCustomer,
    http: httpx.AsyncClient,
    link: str,
    song: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sandbox.vendors.task_runner.KEPT_TASKS", 1)
    await audiocleaner.results(song)
    await audiocleaner.submit(song)
    assert (await http.get(link)).status_code == 404


async def test_complete_set_from_the_wire_adds_up_to_the_song(
    audiocleaner: AudioCleanerCustomer,
    http: httpx.AsyncClient,
    song: str,
    song_file: Path,
    tmp_path: Path,
) -> None:
    original = sound_of(song_file.read_bytes(), tmp_path)
    links = await audiocleaner.results(song)
    stems = [sound_of((await http.get(link)).content, tmp_path) for link in links]
    quantised = len(stems) / 2 / 32767 + 2 / 32767
    assert np.abs(sum(stems) - original).max() < quantised
