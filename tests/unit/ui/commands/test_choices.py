from bot.domain.job import JobId, State
from bot.domain.recipes import AudioFormat, Recipe
from bot.scheduling.plans import Offer
from bot.ui.commands.choices import (
    format_choices,
    job_choices,
    provider_choices,
    provider_name,
    recipe_choices,
)
from tests.support.card_factories import a_job

TITLES = {"audiocleaner": "AudioCleaner", "local": "Stemcord's own engine"}
OFFERS = (
    Offer(Recipe.KARAOKE, ("audiocleaner", "local"), is_basic=False),
    Offer(Recipe.FOUR_STEMS, ("local",), is_basic=True),
)


def test_only_offers_are_chosen_from_and_basic_ones_say_so() -> None:
    assert [(choice.name, choice.value) for choice in recipe_choices(OFFERS)] == [
        ("Karaoke: instrumental and vocals", "karaoke"),
        ("4 stems: vocals, drums, bass and other (basic)", "4-stems"),
    ]


def test_every_recipe_could_be_offered_within_discords_limits() -> None:
    every = [Offer(recipe, ("local",), is_basic=True) for recipe in Recipe]
    choices = recipe_choices(every)
    assert len(choices) == len(Recipe) <= 25
    assert all(len(choice.name) <= 100 for choice in choices)
    assert len({choice.name for choice in choices}) == len(choices)


def test_formats_are_written_as_people_write_them() -> None:
    assert [choice.name for choice in format_choices((AudioFormat.MP3, AudioFormat.OPUS))] == [
        "MP3",
        "Opus",
    ]


def suggested(typed: str, recipe: str) -> list[str]:
    found = provider_choices(typed, titles=TITLES, offers=OFFERS, recipe=recipe)
    return [choice.value for choice in found]


def test_providers_are_suggested_that_make_the_chosen_stems() -> None:
    assert suggested("", "karaoke") == ["audiocleaner", "local"]
    assert suggested("", "4-stems") == ["local"]
    assert suggested(" CLEAN", "karaoke") == ["audiocleaner"]
    assert suggested("own", "karaoke") == ["local"]
    assert suggested("", "not a recipe") == ["audiocleaner", "local"]
    assert suggested("nobody", "karaoke") == []


def test_a_provider_may_be_typed_by_name_or_title() -> None:
    assert provider_name(" AudioCleaner ", TITLES) == "audiocleaner"
    assert provider_name("LOCAL", TITLES) == "local"
    assert provider_name("Somebody", TITLES) == "somebody"
    assert provider_name("  ", TITLES) is None
    assert provider_name(None, TITLES) is None


def test_jobs_are_found_by_id_and_by_title() -> None:
    jobs = [a_job(State.PROCESSING), a_job(State.HELD, id=JobId("zzzzz"), title="Other " * 50)]
    assert [choice.value for choice in job_choices("", jobs)] == ["k7f2q", "zzzzz"]
    assert [choice.value for choice in job_choices("NEON", jobs)] == ["k7f2q"]
    assert [choice.value for choice in job_choices("zz", jobs)] == ["zzzzz"]
    first, second = job_choices("", jobs)
    assert first.name == "Neon Rain · Karaoke: Separating (k7f2q)"
    assert len(second.name) <= 100
    assert second.name.endswith("… · Karaoke: In line (zzzzz)")
    assert len(job_choices("", jobs * 20)) == 25
