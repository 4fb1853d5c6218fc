"""Vendors' failure modes, each with its exact effect."""

import asyncio
import time

import httpx
import pytest

from sandbox.server import Sandbox
from sandbox.vendors.modes import Mode
from sandbox.vendors.settings import UnsupportedBehaviour, VendorSettings
from sandbox.vendors.vendor import Vendor
from tests.integration.sandbox.vendors.customers import Customer, Json


@pytest.fixture
def vendor(sandbox: Sandbox, customer: Customer) -> Vendor:
    found = sandbox.vendors.find(customer.vendor)
    assert found is not None
    return found


async def test_down_resets_the_connection_and_nothing_was_asked(
    vendor: Vendor, customer: Customer, song: str
) -> None:
    vendor.behaviour.change(Mode.DOWN)
    with pytest.raises(httpx.ReadError):
        await customer.submit(song)
    assert (vendor.submits, vendor.accepted) == (0, 0)


async def test_reset_after_submit_leaves_work_that_is_done_and_billed(
    vendor: Vendor, customer: Customer, song: str
) -> None:
    vendor.behaviour.change(Mode.RESET_AFTER_SUBMIT)
    with pytest.raises(httpx.ReadError):
        await customer.submit(song)
    assert (vendor.submits, vendor.accepted) == (1, 1)
    async with asyncio.timeout(30):
        while vendor.account.minutes_billed == 0:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(("mode", "status"), [(Mode.ERROR_500, 500), (Mode.ERROR_503, 503)])
async def test_server_error_is_no_json(
    mode: Mode, status: int, vendor: Vendor, customer: Customer, song: str
) -> None:
    vendor.behaviour.change(mode)
    answer = await customer.submit(song)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert vendor.accepted == 0


@pytest.mark.parametrize("after_s", [None, 7])
async def test_rate_limit_tells_when_to_come_back_if_set(
    after_s: int | None, vendor: Vendor, customer: Customer, song: str
) -> None:
    vendor.behaviour.change(Mode.RATE_LIMIT)
    vendor.behaviour.retry_after_s = after_s
    answer = await customer.submit(song)
    assert answer.headers.get("Retry-After") == (after_s and str(after_s))
    assert answer.status_code == (200 if vendor.name == "audiocleaner" else 429)
    assert vendor.accepted == 0


async def test_mode_takes_effect_as_often_as_said(
    vendor: Vendor, customer: Customer, song: str
) -> None:
    vendor.behaviour.change(Mode.ERROR_500, times=2)
    statuses = [(await customer.submit(song)).status_code for _ in range(3)]
    assert statuses == [500, 500, 200]
    assert vendor.behaviour.mode is Mode.OK


async def test_malformed_answer_is_no_json_though_the_work_is_taken(
    vendor: Vendor, customer: Customer, song: str
) -> None:
    vendor.behaviour.change(Mode.MALFORMED)
    answer = await customer.submit(song)
    with pytest.raises(ValueError, match=r".+"):
        answer.json()
    assert vendor.accepted == 1


async def test_mistyped_answer_has_the_names_but_no_value_of_its_type(
    vendor: Vendor, customer: Customer, song: str
) -> None:
    honest = shapes((await customer.submit(song)).json())
    vendor.behaviour.change(Mode.MISTYPED)
    wrong = shapes((await customer.submit(song)).json())
    assert wrong.keys() == honest.keys()
    assert all(wrong[name] is list for name in wrong)


def shapes(data: object, at: str = "") -> dict[str, type]:
    """Return the type of each value, by path."""
    if isinstance(data, dict):
        return {k: v for name, value in data.items() for k, v in shapes(value, name).items()}
    if isinstance(data, list) and at == "":
        return {k: v for item in data for k, v in shapes(item).items()}
    return {at: type(data)}


async def test_hanging_vendor_is_silent_until_its_mode_changes(
    vendor: Vendor, customer: Customer, song: str
) -> None:
    vendor.behaviour.change(Mode.HANG_BEFORE_ANSWER)
    asked = asyncio.create_task(customer.submit(song))
    async with asyncio.timeout(30):
        while not vendor.submits:
            await asyncio.sleep(0.01)
    assert not asked.done()
    vendor.behaviour.change(Mode.OK)
    with pytest.raises(httpx.ReadError):
        await asked
    assert (vendor.submits, vendor.accepted) == (1, 0)


async def test_slow_body_comes_whole_but_byte_by_byte(
    vendor: Vendor, customer: Customer, song: str
) -> None:
    vendor.behaviour.change(Mode.SLOW_BODY)
    vendor.behaviour.drip_s = 0.0005
    began = time.monotonic()
    answer = await customer.submit(song)
    assert answer.json()
    assert time.monotonic() - began > 0.0005 * len(answer.content)


async def test_accepted_work_fails_unbilled(vendor: Vendor, customer: Customer, song: str) -> None:
    vendor.behaviour.change(Mode.ACCEPT_THEN_FAIL, times=1)
    failed = (await customer.finished(await customer.submit(song))).json()
    assert failed_in(vendor.name, failed)
    assert (vendor.accepted, vendor.account.minutes_billed) == (1, 0)
    assert await customer.results(song)


def failed_in(name: str, body: Json) -> bool:
    match name:
        case "audiocleaner":
            return bool(body["data"]["status"] == "failed")
        case "finevoice":
            return bool(body["status"] == 500)
        case _:
            return list(body) == ["Detail"]


@pytest.mark.parametrize("customer", ["audiocleaner", "finevoice"], indirect=True)
async def test_endless_work_is_still_running(vendor: Vendor, customer: Customer, song: str) -> None:
    vendor.behaviour.change(Mode.NEVER_FINISHES, times=1)
    submitted = await customer.submit(song)
    await customer.results(song)
    assert customer.state(await customer.ask(submitted)) in ("waiting", 202)
    assert vendor.tasks.running == 1


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("soundverse", Mode.NEVER_FINISHES),
        ("soundverse", Mode.CONCURRENCY),
        ("finevoice", Mode.SUSPENDED),
        ("finevoice", Mode.MODERATION),
        ("audiocleaner", Mode.ARTIST_NAME),
    ],
)
async def test_mode_beyond_the_documents_is_refused(
    name: str, mode: Mode, sandbox: Sandbox
) -> None:
    vendor = sandbox.vendors.find(name)
    assert vendor is not None
    with pytest.raises(UnsupportedBehaviour, match=f"^By its documents {vendor.title} never "):
        vendor.change(VendorSettings(mode=mode, latency_s=9))
    assert (vendor.behaviour.mode, vendor.behaviour.latency_s) == (Mode.OK, 0.0)


async def test_vendor_that_works_does_not_keep_the_sandbox_from_ending(
    vendor: Vendor, sandbox: Sandbox, customer: Customer, song: str
) -> None:
    vendor.behaviour.latency_s = 60
    asked = asyncio.create_task(customer.submit(song))
    async with asyncio.timeout(30):
        while vendor.accepted == 0:
            await asyncio.sleep(0.01)
    began = time.monotonic()
    await sandbox.stop()
    assert time.monotonic() - began < 30
    await asyncio.gather(asked, return_exceptions=True)
