"""The simulated Soundverse, compared with the documentation."""

import asyncio
import time

import httpx
import pytest

from sandbox.vendors.modes import Mode
from sandbox.vendors.vendor_set import Vendors
from tests.integration.sandbox.vendors.conftest import uploaded
from tests.integration.sandbox.vendors.customers import SoundverseCustomer

INSTRUMENTS = ["Guitar", "Other", "Drums", "Bass", "Piano"]
NAMES = {
    "vocals": ["vocals"],
    "instruments": INSTRUMENTS,
    "all-stems": ["vocals", *INSTRUMENTS],
}


@pytest.mark.parametrize("model", NAMES)
async def test_answer_is_the_list_of_the_sample(
    model: str, soundverse: SoundverseCustomer, song: str
) -> None:
    soundverse.model = model
    answer = await soundverse.submit(song)
    assert answer.status_code == 200
    assert [stem["audioName"] for stem in answer.json()] == NAMES[model]
    assert all(set(stem) == {"audioName", "audioUrl"} for stem in answer.json())


@pytest.mark.parametrize(
    ("audio_format", "starts", "content_type"),
    [("wav", b"RIFF", "audio/wav"), ("mp3", b"ID3", "audio/mpeg")],
)
async def test_results_come_in_the_format_that_is_set(
    audio_format: str,
    starts: bytes,
    content_type: str,
    vendors: Vendors,
    soundverse: SoundverseCustomer,
    song: str,
) -> None:
    vendors.soundverse.audio_format = audio_format
    [link] = await soundverse.results(song)
    answer = await soundverse.http.get(link)
    assert answer.headers["Content-Type"] == content_type
    assert answer.content.startswith(starts)


async def test_answer_takes_as_long_as_the_work(
    vendors: Vendors, soundverse: SoundverseCustomer, song: str
) -> None:
    vendors.soundverse.behaviour.latency_s = 0.3
    began = time.monotonic()
    await soundverse.submit(song)
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        (Mode.MODERATION, "NSFW words detected. Please try again with a different prompt."),
        (Mode.ARTIST_NAME, "Artist name detected. Please try again with a different prompt."),
    ],
)
async def test_refusal_is_the_sample(
    mode: Mode, message: str, vendors: Vendors, soundverse: SoundverseCustomer, song: str
) -> None:
    vendors.soundverse.behaviour.change(mode)
    answer = await soundverse.submit(song)
    assert answer.json() == {"success": False, "message": message}
    assert vendors.soundverse.accepted == 0


async def test_failed_generation_has_a_detail(
    sandbox, http, soundverse: SoundverseCustomer
) -> None:
    address = await uploaded(http, sandbox, "song.mp3", b"no audio at all" * 100)
    answer = await soundverse.submit(address)
    assert answer.status_code != 200
    assert list(answer.json()) == ["Detail"]
    assert isinstance(answer.json()["Detail"], str)


@pytest.mark.parametrize("key", ["another-key", "sandbox-key2"])
async def test_wrong_key_is_401(key: str, soundverse: SoundverseCustomer, song: str) -> None:
    assert (await soundverse.submit(song, key=key)).status_code == 401


@pytest.mark.parametrize("body", [{}, {"audioUrl": "string"}, {"audioUrl": None}, "song"])
async def test_invalid_body_starts_no_work(
    body: object, vendors: Vendors, soundverse: SoundverseCustomer
) -> None:
    path = "/v1/generate/stem-separation/vocals"
    headers = {"Authorization": "Bearer sandbox-key"}
    answer = await soundverse.http.post(path, json=body, headers=headers)
    assert answer.status_code == 422
    assert vendors.soundverse.accepted == 0


async def test_unknown_kind_of_separation_is_404(soundverse: SoundverseCustomer, song: str) -> None:
    soundverse.model = "drums"
    assert (await soundverse.submit(song)).status_code == 404


async def test_work_goes_on_and_is_billed_when_the_customer_hangs_up(
    vendors: Vendors, soundverse: SoundverseCustomer, song: str
) -> None:
    vendors.soundverse.behaviour.latency_s = 0.2
    soundverse.http.timeout = httpx.Timeout(0.05)
    with pytest.raises(httpx.ReadTimeout):
        await soundverse.submit(song)
    async with asyncio.timeout(30):
        while vendors.soundverse.account.minutes_billed == 0:
            await asyncio.sleep(0.02)
