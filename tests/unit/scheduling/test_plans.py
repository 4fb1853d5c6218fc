"""The choice of models for recipes, and the derivation of outputs."""

from bot.domain.recipes import OUTPUTS, Recipe, Stem
from bot.engine.model_catalogue import SPLEETER
from bot.providers.interface import Capabilities, Model
from bot.providers.self_hosted import local as engine_provider
from bot.scheduling.plans import Subtract, Sum, derivations, offers, plan

FOUR = frozenset({Stem.VOCALS, Stem.DRUMS, Stem.BASS, Stem.OTHER})
SIX = FOUR | {Stem.GUITAR, Stem.PIANO}


def provider(*models: Model, name: str = "p") -> Capabilities:
    return Capabilities(name=name, title=name.upper(), models=models)


def test_an_instrumental_is_mixed_from_everything_but_the_vocals() -> None:
    model = Model(name="four", stems=FOUR, sums_to_song=True)
    made = derivations(Recipe.KARAOKE, model, FOUR)
    assert made == {
        Stem.INSTRUMENTAL: Sum(FOUR - {Stem.VOCALS}),
        Stem.VOCALS: Sum(frozenset({Stem.VOCALS})),
    }


def test_the_other_of_four_stems_takes_in_guitar_and_piano() -> None:
    made = derivations(Recipe.FOUR_STEMS, Model(name="six", stems=SIX, sums_to_song=True), SIX)
    assert made is not None
    assert made[Stem.OTHER] == Sum(frozenset({Stem.OTHER, Stem.GUITAR, Stem.PIANO}))


def test_stems_that_do_not_add_up_give_no_mix() -> None:
    model = Model(name="two", stems=frozenset({Stem.VOCALS, Stem.DRUMS}))
    assert derivations(Recipe.NO_DRUMS, model, model.stems) is None


def test_a_clean_stem_may_be_subtracted_from_the_song() -> None:
    vocals = frozenset({Stem.VOCALS})
    model = Model(name="v", stems=vocals, subtractable=True, may_add=frozenset({Stem.OTHER}))
    made = derivations(Recipe.INSTRUMENTAL, model, vocals)
    assert made == {Stem.INSTRUMENTAL: Subtract(Stem.VOCALS)}


def test_a_stem_that_came_as_well_is_used_instead_of_a_subtraction() -> None:
    vocals = frozenset({Stem.VOCALS})
    model = Model(name="v", stems=vocals, subtractable=True, may_add=frozenset({Stem.OTHER}))
    made = derivations(Recipe.INSTRUMENTAL, model, vocals | {Stem.OTHER})
    assert made == {Stem.INSTRUMENTAL: Sum(frozenset({Stem.OTHER}))}


def test_instruments_without_vocals_mix_to_the_instrumental_and_to_nothing_else() -> None:
    stems = SIX - {Stem.VOCALS}
    model = Model(name="instruments", stems=stems, sums_to_instrumental=True)
    assert derivations(Recipe.INSTRUMENTAL, model, stems) == {Stem.INSTRUMENTAL: Sum(stems)}
    assert derivations(Recipe.KARAOKE, model, stems) is None
    assert derivations(Recipe.NO_DRUMS, model, stems) is None


def test_the_first_declared_model_that_reaches_a_recipe_serves_it() -> None:
    one = Model(name="drums", stems=frozenset({Stem.DRUMS}))
    four = Model(name="four", stems=FOUR, sums_to_song=True)
    known = provider(one, four)
    chosen = {recipe: plan(recipe, known) for recipe in (Recipe.DRUMS, Recipe.NO_DRUMS)}
    names = {recipe: made.model.name for recipe, made in chosen.items() if made}
    assert names == {Recipe.DRUMS: "drums", Recipe.NO_DRUMS: "four"}


def test_the_default_model_offers_its_recipes_and_calls_the_band_split_basic() -> None:
    models = engine_provider.offered(SPLEETER)
    local = Capabilities(name="local", title="Stemcord", models=models)
    offered = {offer.recipe: offer.is_basic for offer in offers([local])}
    assert offered == {
        Recipe.KARAOKE: False,
        Recipe.INSTRUMENTAL: False,
        Recipe.VOCALS: False,
        Recipe.FOUR_STEMS: True,
        Recipe.NO_DRUMS: True,
        Recipe.NO_BASS: True,
        Recipe.DRUMS: True,
        Recipe.BASS: True,
    }


def test_every_recipe_names_its_outputs_once() -> None:
    for recipe in Recipe:
        stems = [output.stem for output in OUTPUTS[recipe]]
        assert stems
        assert len(set(stems)) == len(stems)
