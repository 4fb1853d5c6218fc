"""Every test of a store runs on both databases."""

from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_the_tests_of_every_store_are_repeated_on_postgresql():
    on_sqlite = {path.name for path in (TESTS / "unit/storage/stores").glob("test_*.py")}
    on_postgresql = {
        path.name
        for path in (TESTS / "integration/storage/stores").glob("test_*.py")
        if f"from tests.unit.storage.stores.{path.stem} import *\n" in path.read_text()
    }

    assert len(on_sqlite) > 10
    assert on_postgresql == on_sqlite
