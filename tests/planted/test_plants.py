"""Checks that the planted bugs fit the tree. `make planted` checks that the tests notice them."""

from pathlib import Path

import pytest

from tests.planted.plant import Plant
from tests.planted.plants import PLANTS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_a_plant_still_fits_the_tree(plant: Plant) -> None:
    assert plant.applies_to(ROOT), f"{plant.file} does not hold exactly once: {plant.old}"
    assert all((ROOT / test.partition("::")[0]).exists() for test in plant.tests)
