"""The expiry time of an address is read from its query, and invalid values are ignored."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.delivery.provider_link_expiry import ends_at


@pytest.mark.parametrize(
    ("query", "ends"),
    [
        ("X-Amz-Date=20261120T101112Z&X-Amz-Expires=60", "2026-11-20T10:12:12+00:00"),
        ("x-goog-date=20261120T101112Z&x-goog-expires=60", "2026-11-20T10:12:12+00:00"),
        ("X-Amz-Date=20261120T101112&X-Amz-Expires=60", "2026-11-20T10:12:12+00:00"),
        ("X-Amz-Date=2026-11-20&X-Amz-Expires=60", "2026-11-20T00:01:00+00:00"),
        ("X-Amz-Date=20261120T121112%2B0200&X-Amz-Expires=60", "2026-11-20T10:12:12+00:00"),
        ("Expires=1795169472&Signature=x", "2026-11-20T10:11:12+00:00"),
        ("Expires=soon", None),
        ("X-Amz-Date=today&X-Amz-Expires=60", None),
        ("X-Amz-Date=20261120T101112Z&X-Amz-Expires=99999999999999", None),
        ("X-Amz-Date=99991231T235959Z&X-Amz-Expires=60", None),
        (f"X-Amz-Date=20261120T101112Z&X-Amz-Expires={'9' * 5000}", None),
        ("Expires=99999999999999999999", None),
        ("Expires=-99999999999999999999", None),
        ("", None),
    ],
)
def test_the_ways_in_which_addresses_say_their_end(query: str, ends: str | None) -> None:
    found = ends_at(f"https://cdn.example/a.mp3?{query}")
    assert (found and found.isoformat()) == ends


@pytest.mark.parametrize(
    "url", ["https://[x", "", "https://xn--a.example/?Expires=1", "//[", "\x00"]
)
def test_what_is_no_address_says_no_end(url: str) -> None:
    assert ends_at(url) is None


@settings(deadline=None)
@given(st.text(max_size=40), st.text(max_size=20))
def test_every_end_has_a_zone_and_nothing_is_raised(date: str, seconds: str) -> None:
    found = ends_at(f"https://cdn.example/a?X-Amz-Date={date}&X-Amz-Expires={seconds}")
    assert found is None or found.tzinfo is not None
