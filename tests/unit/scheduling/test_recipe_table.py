"""The table of models by recipe and provider, derived from the declarations."""

import pytest

from bot.domain.recipes import Recipe
from bot.engine.model_catalogue import HTDEMUCS, SPLEETER
from bot.providers import audiocleaner, finevoice, soundverse
from bot.providers.interface import Capabilities
from bot.providers.self_hosted import local
from bot.scheduling.plans import offers, plan

COLUMNS: dict[str, Capabilities] = {
    "audiocleaner": audiocleaner.CAPABILITIES,
    "finevoice": finevoice.CAPABILITIES,
    "soundverse": soundverse.CAPABILITIES,
    **{
        model.name: Capabilities(name="local", title="Stemcord", models=local.offered(model))
        for model in (SPLEETER, HTDEMUCS)
    },
}

TABLE = """
recipe          | audiocleaner | finevoice     | soundverse  | spleeter         | htdemucs
karaoke         | 350          | vocal-remover | all-stems   | spleeter         | htdemucs
instrumental    | 350          | vocal-remover | instruments | spleeter         | htdemucs
vocals          | 350          | vocal-remover | vocals      | spleeter         | htdemucs
karaoke-backing | 490          | -             | -           | -                | -
4-stems         | 501          | htdemucs_6s-4 | all-stems   | spleeter-bands * | htdemucs
6-stems         | 320          | htdemucs_6s-4 | all-stems   | -                | -
no-drums        | 501          | htdemucs_6s-4 | all-stems   | spleeter-bands * | htdemucs
no-bass         | 501          | htdemucs_6s-4 | all-stems   | spleeter-bands * | htdemucs
no-guitar       | 320          | htdemucs_6s-4 | all-stems   | -                | -
no-piano        | 320          | htdemucs_6s-4 | all-stems   | -                | -
drums           | 340          | htdemucs_6s-4 | instruments | spleeter-bands * | htdemucs
bass            | 360          | htdemucs_6s-4 | instruments | spleeter-bands * | htdemucs
guitar          | 390          | htdemucs_6s-4 | instruments | -                | -
piano           | 380          | htdemucs_6s-4 | instruments | -                | -
strings         | 491          | -             | -           | -                | -
wind            | 492          | -             | -           | -                | -
synth           | 493          | -             | -           | -                | -
dereverb        | -            | reverb        | -           | -                | -
"""
"""The table in the owner's form. A star marks quality below users' expectations."""


def rows() -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in TABLE.strip().splitlines()]


def cell(recipe: Recipe, column: str) -> str:
    made = plan(recipe, COLUMNS[column])
    if made is None:
        return "-"
    return f"{made.model.name} *" if made.model.is_basic else made.model.name


def test_the_table_is_what_the_declarations_give() -> None:
    derived = [[recipe, *(cell(recipe, column) for column in COLUMNS)] for recipe in Recipe]
    assert [["recipe", *COLUMNS], *derived] == rows()


@pytest.mark.parametrize("column", COLUMNS)
def test_a_provider_alone_offers_what_its_column_shows(column: str) -> None:
    index = rows()[0].index(column)
    shown = {row[0] for row in rows()[1:] if row[index] != "-"}
    assert {offer.recipe for offer in offers([COLUMNS[column]])} == shown
