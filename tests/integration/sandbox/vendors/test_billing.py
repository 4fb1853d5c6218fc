"""Charges to a customer's account at a vendor."""

import pytest

from sandbox.server import Sandbox
from sandbox.vendors.modes import Mode
from sandbox.vendors.vendor import Vendor
from tests.integration.sandbox.vendors.customers import Customer

NO_CREDIT = {"audiocleaner": (200, 100100), "finevoice": (402, None), "soundverse": (402, None)}


@pytest.fixture
def vendor(sandbox: Sandbox, customer: Customer) -> Vendor:
    found = sandbox.vendors.find(customer.vendor)
    assert found is not None
    return found


async def test_each_song_is_billed_once_however_often_it_is_asked_after(
    vendor: Vendor, customer: Customer, song: str
) -> None:
    submitted = await customer.submit(song)
    for _ in range(3):
        await customer.finished(submitted)
    await customer.results(song)
    assert (vendor.account.minutes_billed, vendor.account.credit_minutes) == (2, 598)


async def test_refused_song_is_not_billed(vendor: Vendor, customer: Customer, song: str) -> None:
    vendor.behaviour.change(Mode.RATE_LIMIT)
    await customer.submit(song)
    assert vendor.account.minutes_billed == 0


async def test_empty_account_is_refused_as_no_credit(
    vendor: Vendor, customer: Customer, song: str
) -> None:
    vendor.account.credit_minutes = 1
    await customer.results(song)
    answer = await customer.submit(song)
    body = answer.json()
    assert (answer.status_code, body.get("code")) == NO_CREDIT[vendor.name]
    assert vendor.accepted == 1
