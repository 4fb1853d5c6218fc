"""The simulated FineVoice, compared with the documentation."""

import re

import pytest

from sandbox.vendors.modes import Mode
from sandbox.vendors.vendor_set import Vendors
from tests.integration.sandbox.vendors.conftest import uploaded
from tests.integration.sandbox.vendors.customers import FineVoiceCustomer

UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
FIELDS = {
    "status": int,
    "url": str,
    "taskId": str,
    "error": dict,
    "urls": list,
    "service": str,
    "port": str,
    "timestamp": str,
}
NAMES = {
    "vocal-remover": ["vocals", "no_vocals"],
    "htdemucs_6s-4": ["bass", "drums", "vocals", "piano", "guitar", "other"],
    "reverb": ["no_reverb"],
}


async def test_task_is_accepted_with_an_id_and_runs(
    vendors: Vendors, finevoice: FineVoiceCustomer, song: str
) -> None:
    vendors.finevoice.behaviour.latency_s = 60
    answer = await finevoice.submit(song)
    assert answer.status_code == 200
    assert answer.json()["status"] == 202
    assert re.fullmatch(UUID, answer.json()["taskId"])
    assert (await finevoice.ask(answer)).json()["status"] == 202


@pytest.mark.parametrize("model", NAMES)
async def test_file_names_tell_the_stems(
    model: str, finevoice: FineVoiceCustomer, song: str
) -> None:
    finevoice.model = model
    named = [re.search(r"/Neon_Rain_(\w+)\.mp3\?", each) for each in await finevoice.results(song)]
    assert [match and match[1] for match in named] == NAMES[model]


async def test_file_names_tell_nothing_when_set_so(
    vendors: Vendors, finevoice: FineVoiceCustomer, song: str
) -> None:
    vendors.finevoice.named_files = False
    names = [each.partition("?")[0].rpartition("/")[2] for each in await finevoice.results(song)]
    assert names == ["0.mp3", "1.mp3"]


async def test_one_result_is_a_url_and_several_are_urls(
    finevoice: FineVoiceCustomer, song: str
) -> None:
    two = (await finevoice.finished(await finevoice.submit(song))).json()
    finevoice.model = "reverb"
    one = (await finevoice.finished(await finevoice.submit(song))).json()
    assert ("url" in one, "urls" in one) == (True, False)
    assert ("url" in two, len(two["urls"])) == (False, 2)


@pytest.mark.parametrize(("is_async", "at_once"), [(False, False), (True, True), (False, True)])
async def test_results_come_at_once(
    is_async: bool, at_once: bool, vendors: Vendors, finevoice: FineVoiceCustomer, song: str
) -> None:
    vendors.finevoice.at_once = at_once
    finevoice.is_async = is_async
    answer = await finevoice.submit(song)
    assert answer.json()["status"] == 200
    assert len(finevoice.links(answer)) == 2


@pytest.mark.parametrize("key", ["another-key", "sandbox-key2"])
async def test_wrong_key_is_401(key: str, finevoice: FineVoiceCustomer, song: str) -> None:
    answer = await finevoice.submit(song, key=key)
    assert answer.status_code == 401
    assert set(answer.json()["error"]) == {"code", "message"}


async def test_missing_key_is_401(finevoice: FineVoiceCustomer) -> None:
    assert (await finevoice.http.get("/v1/task/abc")).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"sourceUrl": "http://127.0.0.1/a.mp3"},
        {"sourceUrl": "http://127.0.0.1/a.mp3", "model": "spleeter"},
        {"sourceUrl": "a.mp3", "model": "reverb"},
        {"sourceUrl": "http://127.0.0.1/a.mp3", "model": "reverb", "useAsync": "yes"},
        {"sourceUrl": 7, "model": "reverb"},
    ],
)
async def test_invalid_fields_are_422(
    body: object, vendors: Vendors, finevoice: FineVoiceCustomer
) -> None:
    headers = {"Authorization": "Bearer sandbox-key"}
    answer = await finevoice.http.post("/v1/audio/separation", json=body, headers=headers)
    assert answer.status_code == 422
    assert vendors.finevoice.accepted == 0


async def test_unknown_task_is_404(finevoice: FineVoiceCustomer) -> None:
    assert (await finevoice.get("a1b2c3d4-e5f6-7890-abcd-ef1234567890")).status_code == 404


@pytest.mark.parametrize("is_async", [True, False])
async def test_failure_is_an_error_in_the_body(
    is_async: bool, sandbox, http, finevoice: FineVoiceCustomer
) -> None:
    finevoice.is_async = is_async
    address = await uploaded(http, sandbox, "song.mp3", b"no audio at all" * 100)
    answer = await finevoice.finished(await finevoice.submit(address))
    assert (answer.status_code, answer.json()["status"]) == (200, 500)
    assert set(answer.json()["error"]) == {"code", "message"}


async def test_every_answer_has_documented_fields_of_their_types(
    vendors: Vendors, finevoice: FineVoiceCustomer, song: str
) -> None:
    accepted = await finevoice.submit(song)
    answers = [accepted, await finevoice.finished(accepted), await finevoice.submit(song, key="x")]
    for answer in answers:
        for name, value in answer.json().items():
            assert type(value) is FIELDS[name]


async def test_unknown_status_is_neither_done_nor_in_progress(
    vendors: Vendors, finevoice: FineVoiceCustomer, song: str
) -> None:
    vendors.finevoice.behaviour.change(Mode.UNKNOWN_STATUS)
    vendors.finevoice.behaviour.latency_s = 60
    assert (await finevoice.submit(song)).json()["status"] not in {200, 202}
