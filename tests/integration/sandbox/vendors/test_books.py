"""Vendors in the control API: their records, and changes of their behaviour."""

import json
from typing import Any

import pytest

from sandbox.bot_process import environment
from sandbox.client import SandboxClient, SandboxRefused
from sandbox.server import Sandbox
from sandbox.vendors.modes import Mode
from sandbox.vendors.vendor_set import Vendors
from tests.integration.sandbox.vendors.customers import AudioCleanerCustomer, FineVoiceCustomer


async def test_books_tell_what_was_asked_billed_and_is_left(
    ada: SandboxClient, audiocleaner: AudioCleanerCustomer, song: str
) -> None:
    await ada.set_vendor("audiocleaner", credit_minutes=5)
    await audiocleaner.submit(song, key="another-key")
    await audiocleaner.results(song)
    books = (await ada.vendors())["audiocleaner"]
    counted = ("submits", "accepted", "running", "minutes_billed", "credit_minutes", "mode")
    assert [books[name] for name in counted] == [2, 1, 0, 1, 4, "ok"]


async def test_log_tells_each_request_its_task_and_outcome_but_no_key(
    ada: SandboxClient, audiocleaner: AudioCleanerCustomer, song: str
) -> None:
    submitted = await audiocleaner.submit(song)
    job_id = submitted.json()["data"]["job_id"]
    [link, *_] = audiocleaner.links(await audiocleaner.finished(submitted))
    await audiocleaner.http.get(link)
    log = (await ada.vendors())["audiocleaner"]["log"]
    assert (log[0]["method"], log[0]["path"]) == (
        "POST",
        "/audio/api/v1/api-keys/separation/task/create",
    )
    assert [entry["outcome"] for entry in log if entry["outcome"] != "waiting"] == [
        "accepted",
        "success",
        "sent",
    ]
    assert {entry["reference"] for entry in log} == {job_id}
    assert "sandbox-key" not in json.dumps(log)
    assert "Signature" not in json.dumps(log)


async def test_state_offers_each_vendors_modes_with_a_sentence(ada: SandboxClient) -> None:
    listed = (await ada.state())["vendors"]
    assert [each["name"] for each in listed] == ["audiocleaner", "finevoice", "soundverse"]
    modes = {each["name"]: each["modes"] for each in listed}
    assert "moderation" in modes["soundverse"]
    assert "moderation" not in modes["finevoice"]
    assert all(sentence for each in modes.values() for sentence in each.values())


async def test_change_is_told_to_the_page(ada: SandboxClient) -> None:
    async with ada.events() as events:
        await ada.set_vendor("soundverse", mode="down")
        assert (await anext(events))["type"] == "vendors"
    listed = {each["name"]: each["mode"] for each in (await ada.state())["vendors"]}
    assert listed["soundverse"] == "down"


async def test_what_is_left_out_of_a_change_stays(ada: SandboxClient, vendors: Vendors) -> None:
    await ada.set_vendor("finevoice", mode="down", times=3, retry_after_s=9, named_files=False)
    books = await ada.set_vendor("finevoice", latency_s=1.5)
    assert (books["mode"], books["times"], books["latency_s"]) == ("down", 3, 1.5)
    behaviour = vendors.finevoice.behaviour
    assert (behaviour.retry_after_s, behaviour.latency_s) == (9, 1.5)
    await ada.set_vendor("finevoice", latency_s=None, retry_after_s=None)
    assert (behaviour.retry_after_s, behaviour.latency_s) == (None, 1.5)
    assert vendors.finevoice.named_files is False


async def test_vendors_of_its_own_settings(ada: SandboxClient, vendors: Vendors) -> None:
    await ada.set_vendor("finevoice", at_once=True)
    await ada.set_vendor("audiocleaner", extra_stems=False, links_live_s=60)
    await ada.set_vendor("soundverse", audio_format="wav", drip_s=0.1)
    assert vendors.finevoice.at_once
    assert (vendors.audiocleaner.extra_stems, vendors.audiocleaner.result_files.lifetime_s) == (
        False,
        60,
    )
    assert (vendors.soundverse.audio_format, vendors.soundverse.behaviour.drip_s) == ("wav", 0.1)


@pytest.mark.parametrize(
    ("name", "settings", "why"),
    [
        ("spleeter", {}, "There is no such vendor"),
        ("finevoice", {"mode": "moderation"}, "By its documents FineVoice never refuses"),
        ("finevoice", {"mode": "slow"}, "mode: Input should be"),
        ("finevoice", {"mode": "down", "times": 0}, "times: "),
        ("finevoice", {"times": 2}, "times says how often"),
        ("finevoice", {"extra_stems": True}, "extra_stems: Extra inputs"),
        ("soundverse", {"audio_format": "flac"}, "audio_format: "),
    ],
)
async def test_impossible_change_is_refused_with_a_sentence(
    name: str, settings: dict[str, Any], why: str, ada: SandboxClient, vendors: Vendors
) -> None:
    with pytest.raises(SandboxRefused, match=f"^{why}"):
        await ada.set_vendor(name, **settings)
    assert [vendor.behaviour.mode for vendor in vendors.all] == [Mode.OK] * 3


async def test_requests_to_vendors_are_not_in_discords_log(
    sandbox: Sandbox, finevoice: FineVoiceCustomer
) -> None:
    await finevoice.get("abc")
    assert sandbox.log.entries() == []


@pytest.mark.parametrize(
    ("vendors", "providers"), [(False, "local"), (True, "audiocleaner,finevoice,soundverse,local")]
)
async def test_bot_is_told_of_all_vendors_and_uses_them_when_asked(
    vendors: bool, providers: str, sandbox: Sandbox, tmp_path
) -> None:
    told = environment(sandbox, tmp_path, vendors=vendors)
    assert told["STEMCORD_PROVIDERS"] == providers
    for name in ("audiocleaner", "finevoice", "soundverse"):
        assert told[f"{name.upper()}_API_KEY"] == "sandbox-key"
        assert told[f"{name.upper()}_BASE_URL"] == f"{sandbox.base_url}/vendors/{name}"
