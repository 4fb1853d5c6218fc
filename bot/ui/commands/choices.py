"""The choices that commands offer: stems, formats, providers and the user's jobs."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from discord.app_commands import Choice

from bot.domain.job import Job, JobId
from bot.domain.recipes import AudioFormat
from bot.scheduling.plans import Offer
from bot.ui.commands.command_translator import composed
from bot.ui.texts import messages
from bot.ui.texts.names import FORMATS, recipe_label
from bot.ui.texts.safe_text import shortened

MAX_CHOICES = 25
MAX_NAME = 100


def recipe_choices(offers: Iterable[Offer]) -> list[Choice[str]]:
    """Return the offered recipes, with labels in every language."""
    return [
        Choice(
            name=composed(partial(recipe_label, offer.recipe, is_basic=offer.is_basic)),
            value=offer.recipe.value,
        )
        for offer in offers
    ][:MAX_CHOICES]


def format_choices(formats: Iterable[AudioFormat]) -> list[Choice[str]]:
    """Return the formats that can be delivered."""
    return [Choice(name=FORMATS[each], value=each.value) for each in formats]


def provider_choices(
    typed: str, *, titles: Mapping[str, str], offers: Sequence[Offer], recipe: str
) -> list[Choice[str]]:
    """Suggest providers that can make the chosen recipe and whose name matches the typed text."""
    makers = next((offer.providers for offer in offers if offer.recipe == recipe), tuple(titles))
    wanted = typed.strip().casefold()
    return [
        Choice(name=shortened(title, MAX_NAME), value=name)
        for name, title in titles.items()
        if name in makers and (wanted in name or wanted in title.casefold())
    ][:MAX_CHOICES]


def provider_name(typed: str | None, titles: Mapping[str, str]) -> str | None:
    """Return the name of a provider that was typed as a name or a title; None if nothing was
    typed.
    """
    wanted = (typed or "").strip().casefold()
    if not wanted:
        return None
    return next((name for name, title in titles.items() if title.casefold() == wanted), wanted)


def job_choices(typed: str, jobs: Iterable[Job]) -> list[Choice[str]]:
    """Suggest the user's jobs whose id or title matches the typed text."""
    wanted = typed.strip().casefold()
    return [
        Choice(name=_job_label(job), value=job.id)
        for job in jobs
        if wanted in job.id or wanted in job.title.casefold()
    ][:MAX_CHOICES]


def job_id_of(typed: str) -> JobId:
    """Return the job id that was chosen, or typed as people type it."""
    return JobId(typed.strip().strip("`").lower())


def _job_label(job: Job) -> str:
    tail = f" · {messages.standing(job)} ({job.id})"
    return shortened(job.title, MAX_NAME - len(tail)) + tail
