"""The simulated AudioCleaner, compared with the documentation."""

import re

import pytest

from sandbox.vendors.modes import Mode
from sandbox.vendors.vendor_set import Vendors
from tests.integration.sandbox.vendors.conftest import uploaded
from tests.integration.sandbox.vendors.customers import AudioCleanerCustomer, Json

STEMS = {
    350: {"vocals", "other"},
    490: {"lead_vocals", "backing_vocals", "other"},
    340: {"drums"},
    360: {"bass"},
    380: {"piano"},
    390: {"guitar"},
    491: {"strings"},
    492: {"wind"},
    493: {"synthesizer"},
    501: {"bass", "drums", "vocals", "other"},
    320: {"bass", "drums", "vocals", "piano", "guitar", "other"},
}
SAMPLES: list[tuple[Mode, Json]] = [
    (Mode.NO_CREDIT, {"code": 100100, "data": {}, "message": "Insufficient credit balance"}),
    (Mode.BAD_KEY, {"code": 101002, "data": {}, "message": "Invalid API key"}),
    (Mode.RATE_LIMIT, {"code": 101003, "data": {}, "message": "API key rate limit exceeded"}),
    (
        Mode.CONCURRENCY,
        {"code": 101004, "data": {}, "message": "API key concurrent request limit exceeded"},
    ),
    (
        Mode.SUSPENDED,
        {
            "code": 101005,
            "data": {},
            "message": "Your account is suspended. Status cannot be modified."
            " Please contact the administrator",
        },
    ),
    (Mode.KEY_NOT_ENABLED, {"code": 101006, "data": {}, "message": "API key not enabled"}),
]


async def test_create_answers_as_in_the_sample(
    audiocleaner: AudioCleanerCustomer, song: str
) -> None:
    answer = await audiocleaner.submit(song)
    body = answer.json()
    assert answer.status_code == 200
    assert re.fullmatch(r"[0-9a-f]{32}", body["data"].pop("job_id"))
    assert body == {"code": 100000, "data": {}, "message": "Request Success"}


@pytest.mark.parametrize(("mode", "sample"), SAMPLES)
async def test_refusal_is_the_sample_with_status_200(
    mode: Mode, sample: Json, vendors: Vendors, audiocleaner: AudioCleanerCustomer, song: str
) -> None:
    vendors.audiocleaner.behaviour.change(mode)
    answer = await audiocleaner.submit(song)
    assert (answer.status_code, answer.json()) == (200, sample)
    assert vendors.audiocleaner.accepted == 0


@pytest.mark.parametrize("header", ["api_key", "Authorization", "x-api-key"])
async def test_key_is_looked_for_in_api_key_with_a_dash_alone(
    header: str, audiocleaner: AudioCleanerCustomer, song: str
) -> None:
    path = "/audio/api/v1/api-keys/separation/task/create"
    body = {"model_type": 350, "inputurl": song}
    answer = await audiocleaner.http.post(path, json=body, headers={header: "sandbox-key"})
    assert answer.json()["code"] == 101002


@pytest.mark.parametrize("model", STEMS)
async def test_each_model_returns_its_stems(
    model: int, vendors: Vendors, audiocleaner: AudioCleanerCustomer, song: str
) -> None:
    audiocleaner.model = model
    answer = (await audiocleaner.finished(await audiocleaner.submit(song))).json()
    assert answer["code"] == 100000
    assert set(answer["data"]["output"]) == STEMS[model]


async def test_model_350_returns_vocals_alone_without_the_extra(
    vendors: Vendors, audiocleaner: AudioCleanerCustomer, song: str
) -> None:
    vendors.audiocleaner.extra_stems = False
    audiocleaner.model = 350
    answer = (await audiocleaner.finished(await audiocleaner.submit(song))).json()
    assert set(answer["data"]["output"]) == {"vocals"}


async def test_success_has_the_fields_of_the_sample(
    audiocleaner: AudioCleanerCustomer, song: str
) -> None:
    audiocleaner.model = 350
    body = (await audiocleaner.finished(await audiocleaner.submit(song))).json()
    data = body["data"]
    assert (body["code"], body["message"]) == (100000, "Request Success")
    assert (data["status"], data["file_type"], data["video_url"]) == ("success", "audio", song)
    assert re.search(r"/Neon_Rain_vocals\.wav\?", data["output"]["vocals"])
    archive = await audiocleaner.http.get(data["zip_url"])
    assert archive.content.startswith(b"PK")
    assert b"Neon_Rain_other.wav" in archive.content


async def test_task_waits_before_it_succeeds(
    vendors: Vendors, audiocleaner: AudioCleanerCustomer, song: str
) -> None:
    vendors.audiocleaner.behaviour.latency_s = 60
    answer = await audiocleaner.ask(await audiocleaner.submit(song))
    assert answer.json()["data"]["status"] == "waiting"
    assert answer.json()["data"]["output"] == {}


@pytest.mark.parametrize("job_id", ["33b6251d7ba94edea8361c318736e746", ""])
async def test_unknown_task_is_not_found(job_id: str, audiocleaner: AudioCleanerCustomer) -> None:
    answer = await audiocleaner.get(job_id)
    assert answer.json() == {"code": 101008, "data": {}, "message": "Task not found"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"model_type": 350},
        {"model_type": "350", "inputurl": "http://127.0.0.1/a.mp3"},
        {"model_type": 351, "inputurl": "http://127.0.0.1/a.mp3"},
        {"model_type": 350, "inputurl": "song.mp3"},
        {"model_type": 350, "inputurl": "http://[::1"},
        {"model_type": 350, "inputurl": None},
        [],
    ],
)
async def test_wrong_parameters_make_no_task(
    body: object, vendors: Vendors, audiocleaner: AudioCleanerCustomer
) -> None:
    path = "/audio/api/v1/api-keys/separation/task/create"
    answer = await audiocleaner.http.post(path, json=body, headers={"api-key": "sandbox-key"})
    assert answer.status_code == 200
    assert answer.json()["code"] not in {100000, 100100, 101002}
    assert (vendors.audiocleaner.submits, vendors.audiocleaner.accepted) == (1, 0)


async def test_body_that_is_not_declared_as_json_is_refused(
    vendors: Vendors, audiocleaner: AudioCleanerCustomer, song: str
) -> None:
    path = "/audio/api/v1/api-keys/separation/task/create"
    body = f'{{"model_type": 350, "inputurl": "{song}"}}'.encode()
    headers = {"api-key": "sandbox-key", "Content-Type": "text/plain"}
    await audiocleaner.http.post(path, content=body, headers=headers)
    assert vendors.audiocleaner.accepted == 0


async def test_song_that_is_no_audio_fails_its_task_unbilled(
    sandbox, http, vendors: Vendors, audiocleaner: AudioCleanerCustomer
) -> None:
    address = await uploaded(http, sandbox, "song.mp3", b"no audio at all" * 100)
    answer = await audiocleaner.finished(await audiocleaner.submit(address))
    assert answer.json()["data"]["status"] == "failed"
    assert vendors.audiocleaner.account.minutes_billed == 0


async def test_unknown_word_is_said_while_running_and_the_task_still_succeeds(
    vendors: Vendors, audiocleaner: AudioCleanerCustomer, song: str
) -> None:
    vendors.audiocleaner.behaviour.change(Mode.UNKNOWN_STATUS)
    vendors.audiocleaner.behaviour.latency_s = 0.1
    submitted = await audiocleaner.submit(song)
    first = await audiocleaner.ask(submitted)
    assert first.json()["data"]["status"] not in {"waiting", "success", "failed"}
    task = vendors.audiocleaner.tasks.find(submitted.json()["data"]["job_id"])
    assert task is not None
    await task.ended.wait()
    assert (await audiocleaner.ask(submitted)).json()["data"]["status"] == "success"


async def test_unknown_code_is_none_of_the_documented(
    vendors: Vendors, audiocleaner: AudioCleanerCustomer, song: str
) -> None:
    vendors.audiocleaner.behaviour.change(Mode.UNKNOWN_CODE)
    code = (await audiocleaner.submit(song)).json()["code"]
    assert code not in {100000, 100100, 101008, *range(101002, 101007)}
