"""The calculation of what a number of users needs."""

from argparse import Namespace

from bench.growth import SongCost, calculation

SONG = SongCost(rows=20, stored_kib=2, wal_kib=10, transitions_s=300)
GIVEN = Namespace(
    users=1_000_000,
    share=0.05,
    peak=5,
    cpu_s=20,
    separation_s=10,
    requests=8,
    kept_mib=50,
    keep_hours=24,
    keep_days=90,
)


def test_a_million_users_are_calculated_from_one_song() -> None:
    values = {quantity: value for quantity, _, value in calculation(SONG, GIVEN)}
    assert values["songs a day"] == "50,000"
    assert values["transitions a second, at the peak"] == "20"
    assert values["rows written a second"] == "12"
    assert values["busy cores, at the peak"] == "58"
    assert values["kept audio"] == "2.4 TiB"
    assert values["the database after 90 days"] == "9 GiB"
    assert values["Discord requests a second, at the peak"] == "23"
