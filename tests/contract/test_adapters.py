"""The contract of all hosted adapters, tested with each vendor's documented responses."""

import asyncio
import json
import logging
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.attempt import RemoteFile, RemoteRef
from bot.domain.errors import (
    ProviderAuth,
    ProviderBusy,
    ProviderDown,
    ProviderError,
    ProviderProtocol,
    ProviderQuotaSpent,
    ProviderRefused,
    ResultTooBig,
    SubmitUncertain,
)
from bot.net.api_client import MAX_ANSWER_BYTES, Timeouts
from bot.net.ip_rules import TrustedHosts
from bot.net.transport import GuardedTransport
from bot.providers.interface import Accepted, Failed, Finished, Lost, Provider, Running
from tests.contract import audiocleaner, finevoice, soundverse
from tests.contract.vendor import KEY, MAX_RESULT_BYTES, SONG, Case, Post, Vendor, call, song
from tests.support.scripted_server import Connection, answering, ok, serving
from tests.support.transport_fakes import no_tls

VENDORS = (audiocleaner.VENDOR, finevoice.VENDOR, soundverse.VENDOR)
POLLED = tuple(vendor for vendor in VENDORS if vendor.is_polled)
QUICK = Timeouts(slot_s=0.2, connect_s=0.5, write_s=0.3, read_s=0.1, total_s=0.4)

each_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
each_polled = pytest.mark.parametrize("vendor", POLLED, ids=lambda vendor: vendor.name)


def cases(which):
    return [
        pytest.param(vendor, case, id=f"{vendor.name}: {name}")
        for vendor in VENDORS
        for name, case in getattr(vendor, which).items()
    ]


async def submit(provider: Provider, vendor: Vendor, model: str | None = None):
    return await provider.submit(call(vendor.model(model)), song())


async def submitted(vendor: Vendor, case: Case):
    return await submit(vendor.over(Post(case.response).transport), vendor, case.model)


async def polled(vendor: Vendor, case: Case):
    return await vendor.over(Post(case.response).transport).poll(RemoteRef(vendor.ref))


async def expect(outcome, expected):
    if isinstance(expected, type) and issubclass(expected, Exception):
        with pytest.raises(expected) as caught:
            await outcome
        assert type(caught.value) is expected
    else:
        assert await outcome == expected


@pytest.mark.parametrize(("vendor", "case"), cases("submits"))
async def test_each_documented_answer_to_a_submit_has_its_meaning(vendor, case):
    await expect(submitted(vendor, case), case.expected)


@pytest.mark.parametrize(("vendor", "case"), cases("polls"))
async def test_each_documented_answer_to_a_poll_has_its_meaning(vendor, case):
    await expect(polled(vendor, case), case.expected)


STATUSES = {
    401: (ProviderAuth, ProviderAuth),
    402: (ProviderQuotaSpent, ProviderQuotaSpent),
    403: (ProviderAuth, ProviderAuth),
    429: (ProviderBusy, ProviderBusy),
    400: (ProviderProtocol, ProviderProtocol),
    405: (ProviderProtocol, ProviderProtocol),
    302: (ProviderProtocol, ProviderProtocol),
    408: (SubmitUncertain, ProviderDown),
    500: (SubmitUncertain, ProviderDown),
    502: (SubmitUncertain, ProviderDown),
    503: (SubmitUncertain, ProviderDown),
    504: (SubmitUncertain, ProviderDown),
    520: (SubmitUncertain, ProviderDown),
}


@each_vendor
@pytest.mark.parametrize(("status", "errors"), STATUSES.items())
async def test_a_submit_answered_by_status_alone(vendor, status, errors):
    case = Case(status=status, body="<html>no</html>", expected=errors[0])
    await expect(submitted(vendor, case), case.expected)


@each_polled
@pytest.mark.parametrize(("status", "errors"), STATUSES.items())
async def test_a_poll_answered_by_status_alone(vendor, status, errors):
    case = Case(status=status, body="<html>no</html>", expected=errors[1])
    await expect(polled(vendor, case), case.expected)


@each_vendor
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("Wed, 21 Oct 2026 07:29:00 GMT", 60.0)]
)
async def test_a_busy_vendor_says_for_how_long(vendor, status, header, seconds):
    case = Case(status=status, body="", headers={"Retry-After": header}, expected=ProviderBusy)
    with pytest.raises(ProviderBusy) as caught:
        await submitted(vendor, case)
    assert caught.value.retry_after_s == seconds


@each_vendor
async def test_a_busy_vendor_need_not_say_for_how_long(vendor):
    with pytest.raises(ProviderBusy) as caught:
        await submitted(vendor, Case(status=429, body="", expected=ProviderBusy))
    assert caught.value.retry_after_s is None


async def test_a_limit_told_by_code_keeps_the_header():
    body = audiocleaner.said(101003)
    case = Case(body=body, headers={"Retry-After": "30"}, expected=ProviderBusy)
    with pytest.raises(ProviderBusy) as caught:
        await submitted(audiocleaner.VENDOR, case)
    assert caught.value.retry_after_s == 30.0


MALFORMED = ["", "{", "null", "[]", "{}", "7", '"text"', "[[]]", "[" * 100_000, "\x00", "{},"]


@each_vendor
@pytest.mark.parametrize("body", MALFORMED, ids=lambda body: repr(body[:8]))
async def test_a_malformed_answer_to_a_submit_breaks_the_protocol(vendor, body):
    await expect(submitted(vendor, Case(body=body, expected=None)), ProviderProtocol)


@each_polled
@pytest.mark.parametrize("body", MALFORMED, ids=lambda body: repr(body[:8]))
async def test_a_malformed_answer_to_a_poll_breaks_the_protocol(vendor, body):
    await expect(polled(vendor, Case(body=body, expected=None)), ProviderProtocol)


WORDS = st.sampled_from(
    [
        *("code", "data", "job_id", "status", "output", "message", "vocals", "url", "urls"),
        *("taskId", "task_id", "error", "success", "detail", "Detail", "audioName", "audioUrl"),
        *("completed", "failed", "waiting", "200", "100000"),
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | WORDS
    | st.sampled_from([100000, 101008, 200, 202, 404, 500, -1, 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=12,
)


@each_vendor
@settings(max_examples=60, deadline=None)
@given(body=VALUES, status=st.sampled_from([200, 202, 400, 500]))
def test_no_body_surprises_an_adapter(vendor, body, status):
    case = Case(body=json.dumps(body), status=status, expected=None)

    async def answer(ask):
        try:
            return await ask(vendor, case)
        except ProviderError:
            return None

    for ask in (submitted, polled):
        found = asyncio.run(answer(ask))
        assert found is None or isinstance(found, Accepted | Finished | Running | Failed | Lost)


async def test_audiocleaner_is_asked_as_its_documents_say():
    post = Post(audiocleaner.VENDOR.submits["accepted"].response)
    adapter = audiocleaner.VENDOR.over(post.transport)
    await submit(adapter, audiocleaner.VENDOR, "490")
    (request,) = post.requests
    assert request.method == "POST"
    assert request.url == "https://audiocleaner.ai/audio/api/v1/api-keys/separation/task/create"
    assert request.headers["api-key"] == KEY
    assert request.headers["content-type"] == "application/json"
    assert "authorization" not in request.headers
    assert post.json == {"model_type": 490, "inputurl": SONG}


async def test_audiocleaner_is_polled_as_its_documents_say():
    post = Post(audiocleaner.VENDOR.polls["waiting"].response)
    await audiocleaner.VENDOR.over(post.transport).poll(RemoteRef("j1"))
    (request,) = post.requests
    assert request.method == "POST"
    assert request.url == "https://audiocleaner.ai/audio/api/v1/api-keys/separation/task/get"
    assert request.headers["api-key"] == KEY
    assert post.json == {"job_id": "j1"}


async def test_finevoice_is_asked_as_its_documents_say():
    post = Post(finevoice.VENDOR.submits["accepted"].response)
    await submit(finevoice.VENDOR.over(post.transport), finevoice.VENDOR, "reverb")
    (request,) = post.requests
    assert request.method == "POST"
    assert request.url == "https://apis.finevoice.ai/v1/audio/separation"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"
    assert post.json == {"sourceUrl": SONG, "model": "reverb", "useAsync": True}


async def test_finevoice_is_polled_by_the_task_it_named():
    post = Post(lambda: httpx.Response(200, json={"status": 202, "taskId": "a/b ?"}))
    adapter = finevoice.VENDOR.over(post.transport)
    accepted = await submit(adapter, finevoice.VENDOR)
    await adapter.poll(accepted.ref)
    request = post.requests[1]
    assert request.method == "GET"
    assert request.url == "https://apis.finevoice.ai/v1/task/a%2Fb%20%3F"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.content == b""


@pytest.mark.parametrize("model", ["vocals", "instruments", "all-stems"])
async def test_soundverse_is_asked_as_its_documents_say(model):
    post = Post(soundverse.VENDOR.submits["all stems"].response)
    await submit(soundverse.VENDOR.over(post.transport), soundverse.VENDOR, model)
    (request,) = post.requests
    assert request.method == "POST"
    assert request.url == f"https://api.soundverse.ai/v1/generate/stem-separation/{model}"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"
    assert post.json == {"audioUrl": SONG}


async def test_soundverse_may_be_silent_for_minutes_while_the_others_may_not():
    waits = {vendor.name: vendor.adapter.timeouts.read_s for vendor in VENDORS}
    assert waits["soundverse"] >= 600
    assert max(waits["audiocleaner"], waits["finevoice"]) <= 60


@each_vendor
async def test_a_song_without_an_address_is_refused_unsent(vendor):
    post = Post(lambda: httpx.Response(200))
    with pytest.raises(ProviderRefused):
        await vendor.over(post.transport).submit(call(vendor.model()), song(url=None))
    assert post.requests == []


@each_vendor
async def test_neither_key_nor_signed_address_is_told_to_log_or_error(vendor, caplog):
    caplog.set_level(logging.DEBUG)
    text = f"Cannot fetch {SONG} for {KEY} (token={KEY})"
    told = []
    for body in (vendor.echo(text), text, {"detail": text}, {"code": text, "status": text}):
        case = Case(body=body, expected=None)
        for outcome in (submitted(vendor, case), polled(vendor, case)):
            try:
                told.append(repr(await outcome))
            except ProviderError as exc:
                told.append(f"{exc!r} {exc.__cause__!r}")
    for each in (*told, caplog.text):
        assert "SIGNATURE" not in each
        assert KEY not in each


@each_polled
async def test_an_unknown_word_is_logged_once(vendor, caplog):
    post = Post(vendor.polls["unknown word"].response)
    adapter = vendor.over(post.transport)
    for _ in range(3):
        assert await adapter.poll(RemoteRef(vendor.ref)) == Running()
    assert caplog.text.count("mastering") == 1


async def silent(connection: Connection) -> None:
    await connection.until_closed()


async def reset(connection: Connection) -> None:
    connection.reset()


LOST = {
    "silence": silent,
    "reset": reset,
    "closed": answering(b""),
    "cut short": answering(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"),
    "too big": answering(ok(b" " * (MAX_ANSWER_BYTES + 1))),
    "encoded": answering(ok(b"xx", "Content-Encoding: br")),
}


def over_loopback(vendor: Vendor, base_url: str):
    guarded = GuardedTransport(trusted=TrustedHosts(), tls=no_tls()).trusting(base_url)
    return vendor.over(guarded, base_url=base_url, timeouts=QUICK)


@each_vendor
@pytest.mark.parametrize("script", LOST.values(), ids=LOST)
async def test_a_submit_whose_answer_is_lost_is_uncertain_and_sent_once(vendor, script):
    async with serving(script) as server:
        with pytest.raises(SubmitUncertain):
            await submit(over_loopback(vendor, server.url), vendor)
    assert len(server.requests) == 1


@each_vendor
async def test_a_submit_to_a_vendor_out_of_reach_was_not_sent(vendor):
    async with serving(answering(b"")) as server:
        pass
    with pytest.raises(ProviderDown):
        await submit(over_loopback(vendor, server.url), vendor)


@each_polled
async def test_a_poll_whose_answer_is_lost_finds_the_vendor_down(vendor):
    async with serving(reset) as server:
        with pytest.raises(ProviderDown):
            await over_loopback(vendor, server.url).poll(RemoteRef(vendor.ref))


async def fetch(vendor: Vendor, response: httpx.Response, into: Path):
    post = Post(lambda: response)
    adapter = vendor.over(post.transport)
    await adapter.fetch(RemoteFile("https://results.example/a.wav?sig=1"), into)
    return post.requests


@each_vendor
async def test_a_result_is_fetched_without_the_key(vendor, tmp_path):
    requests = await fetch(vendor, httpx.Response(200, content=b"audio"), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"audio"
    assert requests[0].url == "https://results.example/a.wav?sig=1"
    assert KEY not in str(requests[0].headers.raw)


@each_vendor
@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (httpx.Response(200, content=b"x" * (MAX_RESULT_BYTES + 1)), ResultTooBig),
        (httpx.Response(404), ProviderProtocol),
        (httpx.Response(200, content=b"x", headers={"content-length": "9"}), ProviderDown),
        (httpx.Response(503), ProviderDown),
    ],
    ids=["oversize", "gone", "truncated", "503"],
)
async def test_a_result_that_cannot_be_had_is_an_error_of_the_provider(
    vendor, response, expected, tmp_path
):
    with pytest.raises(expected):
        await fetch(vendor, response, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


@each_vendor
def test_an_adapter_is_a_provider_that_declares_what_it_must(vendor):
    provider: Provider = vendor.over(Post(lambda: httpx.Response(200)).transport)
    declared = provider.capabilities
    assert declared.is_hosted
    assert not declared.is_resubmittable
    assert not declared.can_cancel
    assert declared.is_synchronous != vendor.is_polled
    assert declared.key_setting == f"{declared.name.upper()}_API_KEY"
    assert len({model.name for model in declared.models}) == len(declared.models)
