import re
from pathlib import Path

import pytest

from bot.domain.recipes import Recipe, Stem
from bot.engine.studio.studio_catalogue import SHIPPED, DamagedCatalogue, read_catalogue
from bot.providers.interface import Capabilities, Model
from bot.scheduling.plans import plan
from tests.support.studio_catalogues import MODELS, NETWORKS, write_catalogue


def changed(models_dir, old, new):
    """Write the stand-in catalogue with one change; return what is wrong with it."""
    path = write_catalogue(models_dir, NETWORKS, MODELS)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(DamagedCatalogue) as raised:
        read_catalogue(models_dir)
    assert str(raised.value).startswith(f"{path}: ")
    return str(raised.value).removeprefix(f"{path}: ")


def test_the_shipped_catalogue_serves_what_needs_a_key_without_it(tmp_path):
    models = read_catalogue(tmp_path).models
    capabilities = Capabilities(
        name="studio",
        title="Studio",
        models=tuple(
            Model(name=each.name, stems=each.stems, sums_to_song=each.sums) for each in models
        ),
    )
    served = {recipe: plan(recipe, capabilities) for recipe in Recipe}
    assert {recipe for recipe, made in served.items() if made is None} == {
        Recipe.STRINGS,
        Recipe.WIND,
        Recipe.SYNTH,
    }
    assert {made.model.name for made in served.values() if made} == {each.name for each in models}


def test_every_shipped_file_has_a_secure_address_and_every_network_its_words():
    text = SHIPPED.read_text()
    assert len(re.findall(r"^address = ", text, re.MULTILINE)) == len(
        re.findall(r'^address = "https://', text, re.MULTILINE)
    )
    for model in read_catalogue(Path("/nowhere")).models:
        assert all(len(network.notice) > 80 and network.licence for network in model.networks)


def test_the_operators_own_catalogue_is_used_in_place_of_ours(tmp_path):
    write_catalogue(tmp_path, NETWORKS, MODELS)
    assert [each.name for each in read_catalogue(tmp_path).models] == [each.name for each in MODELS]


def test_stems_that_add_up_are_recognised_by_their_formulas(tmp_path):
    write_catalogue(tmp_path, NETWORKS, MODELS)
    models = {each.name: each for each in read_catalogue(tmp_path).models}
    assert {name for name, model in models.items() if model.sums} == {
        "duet",
        "karaoke",
        "six-stems",
    }
    assert models["karaoke"].spools - models["karaoke"].stems == {Stem.VOCALS}


def test_the_accepted_models_keep_the_catalogues_order(tmp_path):
    write_catalogue(tmp_path, NETWORKS, MODELS)
    accepted = read_catalogue(tmp_path).accepted(["parts", "duet"])
    assert [each.name for each in accepted] == ["duet", "parts"]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('network = "voice"', 'network = "choir"', "there is no network choir"),
        ('of = "vocals"', 'of = "drums"', "karaoke: no earlier step gives drums"),
        ('"song - vocals"', '"song - voice"', "duet cannot make instrumental: nothing gives voice"),
        ('"song - vocals"', '"song - vocals -"', None),
        ('"song - vocals"', '"song * vocals"', None),
        ('sha256 = "', 'sha256 = "x', "the checkpoint of voice has no sha256"),
        ('kind = "gain"', 'kind = "mdx"', "voice is of an unknown kind, mdx"),
        ('kind = "gain"', 'kind = "bs_roformer"', "voice has no config"),
        ('name = "lead"', 'name = "voice"', "two networks have the same name"),
        ('name = "karaoke"', 'name = "duet"', "two models have the same name"),
        ('name = "voice"', 'name = "../voice"', "'../voice' is no name for a network"),
        ('"vocals", "instrumental"', '"vocals", "song"', None),
        ("[[model]]", "[[models", None),
        ("memory_mib = 1", 'memory_mib = "1"', "voice does not say its memory_mib"),
    ],
)
def test_a_catalogue_that_contradicts_itself_is_refused_in_a_line(tmp_path, old, new, why):
    found = changed(tmp_path, old, new)
    assert "\n" not in found.split("(at line")[0]
    assert why is None or found == why


def test_a_catalogue_that_is_not_text_is_refused(tmp_path):
    write_catalogue(tmp_path, NETWORKS, MODELS).write_bytes(b"\xff\xfe")
    with pytest.raises(DamagedCatalogue):
        read_catalogue(tmp_path)
