import json

import pytest

from bot.domain.recipes import Stem
from bot.providers.interface import Model
from bot.providers.registry import BUILT_IN
from bot.providers.self_hosted.declared_models import decode_models, encode_models, usable_models


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_bot_reads_the_declarations_that_a_worker_made(name: str):
    models = BUILT_IN[name].declared.models
    assert decode_models(encode_models(models)) == models


def test_a_model_with_a_stem_of_a_newer_version_is_left_out():
    known = Model(name="duo", stems=frozenset({Stem.VOCALS}), is_basic=True)
    newer = {"name": "trio", "stems": ["vocals", "theremin"]}
    text = json.dumps([newer, *json.loads(encode_models([known]))])
    assert decode_models(text) == (known,)


def test_models_that_cannot_be_used_now_stay_declared():
    duo, solo = (Model(name=name, stems=frozenset({Stem.VOCALS})) for name in ("duo", "solo"))
    text = encode_models([duo, solo], withdrawn={"duo"})
    assert decode_models(text) == (duo, solo)
    assert usable_models(text) == (solo,)


def test_fields_of_a_newer_version_are_ignored():
    text = json.dumps([{"name": "duo", "stems": ["vocals"], "speed": 9}])
    assert decode_models(text) == (Model(name="duo", stems=frozenset({Stem.VOCALS})),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "[" * 100_000,
        "7",
        "{}",
        "[7, null, []]",
        '[{"name": [], "withdrawn": true}]',
        '[{"stems": ["vocals"]}]',
        '[{"name": "duo", "stems": 7}]',
    ],
    ids=lambda text: text[:20],
)
def test_declarations_that_make_no_sense_are_left_out(text: str):
    assert decode_models(text) == usable_models(text) == ()
