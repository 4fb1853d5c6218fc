"""A bot without provider keys, whose studio has a stand-in for every kind of model."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from bot.domain.recipes import OUTPUTS, Recipe
from tests.e2e import reading, songs
from tests.e2e.bot_harness import BotHarness, open_bot_harness
from tests.support.studio_catalogues import MODELS, NETWORKS, write_catalogue

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="package"),
]

MADE_WITH = {
    Recipe.KARAOKE: "duet",
    Recipe.INSTRUMENTAL: "duet",
    Recipe.VOCALS: "duet",
    Recipe.KARAOKE_BACKING: "karaoke",
    Recipe.STRINGS: "parts",
    Recipe.WIND: "parts",
    Recipe.SYNTH: "parts",
    Recipe.DEREVERB: "dereverb",
}
"""All other recipes are made with the model `six-stems`."""
IN_WHOLE = {Recipe.KARAOKE, Recipe.KARAOKE_BACKING, Recipe.FOUR_STEMS, Recipe.SIX_STEMS}


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def studio_bot(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BotHarness]:
    home = tmp_path_factory.mktemp("studio")
    write_catalogue(home / "models", NETWORKS, MODELS)
    settings = {
        "STEMCORD_MODELS_DIR": str(home / "models"),
        "STEMCORD_PROVIDERS": "studio",
        "STEMCORD_STUDIO_PYTHON": sys.executable,
        "STEMCORD_STUDIO_ACCEPT": ",".join(model.name for model in MODELS),
    }
    async with open_bot_harness(home, settings) as opened:
        yield opened
        assert await opened.bot.stop() == 0


@pytest.mark.parametrize("recipe", Recipe)
async def test_every_recipe_is_made_without_a_key_and_the_card_names_the_model(
    studio_bot: BotHarness, song: Path, tmp_path: Path, recipe: Recipe
) -> None:
    guest = await studio_bot.guest()
    _, message = await guest.result(song, stems=recipe.value, format="wav")
    files = reading.stems(message)
    assert len(files) == len(OUTPUTS[recipe])
    assert f"Made with Stand-in {MADE_WITH.get(recipe, 'six-stems')}." in reading.text(message)
    if recipe in IN_WHOLE:
        whole = songs.read(song)[1]
        total = np.zeros_like(whole)
        for number, file in enumerate(files):
            path = tmp_path / f"{number}.wav"
            await guest.download(file, path)
            total += songs.read(path)[1]
        assert 20 * np.log10(np.abs(total - whole).max()) < -80
