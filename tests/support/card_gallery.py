"""One of every card, menu and form that the bot can show."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from bot.delivery.port import ClipDelivery, Delivery, DeliveryLink, ZipDelivery
from bot.domain.analysis import Analysis, BeatGrid, Certainty, Key, KeyEstimate, TempoEstimate
from bot.domain.attempt import AttemptError
from bot.domain.errors import Problem, Reason
from bot.domain.guilds import DeliveryMode, GuildRules
from bot.domain.job import BatchId, DeliveryDifference, Job, JobId, Source, State
from bot.domain.periods import PeriodKind, period_at
from bot.domain.recipes import AudioFormat, Recipe, Stem
from bot.domain.renditions import COVERING, UNCHANGED, Click, ClickGrid, Rendition
from bot.jobs.intake import Limits
from bot.scheduling.plans import Offer
from bot.scheduling.progress import Progress, Stage
from bot.ui.cards.batch_cards import batch_card, batch_form
from bot.ui.cards.card import Card, Tone
from bot.ui.cards.controls import Action, Button, Menu, MenuAction
from bot.ui.cards.forms import Form
from bot.ui.cards.info_cards import (
    forget_card,
    forgotten_card,
    help_card,
    privacy_card,
    quota_card,
)
from bot.ui.cards.job_cards import card_of, jobs_card
from bot.ui.cards.rendition_forms import key_form, mix_form
from bot.ui.cards.result_cards import (
    clip_added_card,
    clip_card,
    continued_card,
    dm_copy_card,
    forwarded_card,
    interrupted_card,
    rendition_card,
    result_card,
    shown_again_card,
)
from bot.ui.cards.result_controls import Place, render_button, zip_button
from bot.ui.cards.song_cards import (
    all_recipes_card,
    other_recipe_menu,
    recipe_card,
    song_menu,
)
from bot.ui.cards.zip_cards import songs_zip_card, zip_card
from bot.ui.texts import admin_texts
from storage.stores.batches import Batch, BatchContent, BatchSong
from tests.support.card_factories import (
    BOOK,
    NOW,
    REPLY,
    REQUEST,
    a_delivery,
    a_job,
    a_provider,
    a_usage,
    stats,
)

OFFERS = [Offer(recipe, ("local",), is_basic=True) for recipe in Recipe]
LARGEST_ID = 2**63 - 1
_FORMATS = (AudioFormat.MP3, AudioFormat.FLAC, AudioFormat.WAV)
_KEY = KeyEstimate(
    key=Key(tonic=6, is_minor=True),
    certainty=Certainty.LIKELY,
    relative=Key(tonic=9, is_minor=False),
)
_GRID = BeatGrid(
    first_beat_s=0.5, period_s=0.5, beats=300, beats_per_bar=4, downbeat=0, is_steady=True
)


def every_card(
    folder: Path, *, title: str = "♪", provider: str = "♫", job_id: str = "k7f2q", url: str = "♪"
) -> Iterator[Card]:
    """Yield one of each card, with the given names of song, job and provider."""
    names: dict[str, Any] = {"title": title, "id": JobId(job_id)}
    for state in State:
        yield card_of(a_job(state, **names), is_closing=True)
    for stage in Stage:
        for progress in (
            Progress(stage=stage),
            Progress(stage=stage, provider=provider, former=provider, ahead=2, eta_s=40),
            Progress(stage=stage, provider=provider, fraction=0.5, eta_s=600),
        ):
            yield card_of(a_job(State.PROCESSING, **names), progress)
    for reason in Reason:
        yield card_of(a_job(State.FAILED, **names, problem=Problem(reason)))
    yield from _results(folder, names, url)
    yield from _zips(names, url)
    yield from _batches(title, job_id)
    yield all_recipes_card([song_named(title)] * 10, OFFERS, message_id=LARGEST_ID)
    yield from _lists(title, job_id)
    for kind in PeriodKind:
        usage = a_usage(held=3, period=period_at(NOW, kind))
        yield quota_card(usage, a_usage(guild_id=7), 12)
    yield help_card(OFFERS, Limits(max_file_mib=100, max_duration_minutes=2.5))
    song = replace(REQUEST.source, filename=f"{title}.mp3")
    yield recipe_card(song, OFFERS, message_id=LARGEST_ID, number=99)
    yield privacy_card(keep=timedelta(hours=24), recipients=["♪", "♫"])
    yield from (forget_card(), forgotten_card(0), forgotten_card(1), forgotten_card(2))
    yield from _admin_cards(provider)


def every_menu(*, title: str = "♪", job_id: str = "k7f2q") -> Iterator[Menu]:
    """Yield each menu that comes without a card, as full as possible."""
    songs = [replace(REQUEST.source, filename=f"{title}.mp3")] * 40
    for action in (MenuAction.OFFER_RECIPES, MenuAction.SPLIT_SONG):
        yield song_menu(action, songs, LARGEST_ID)
        yield song_menu(action, songs[:10], LARGEST_ID)
    yield other_recipe_menu(a_job(State.DELIVERED, id=JobId(job_id)), OFFERS)


def every_form(*, title: str = "♪") -> Iterator[Form]:
    """Yield one of every form that the bot can open, with the longest custom ids."""
    yield batch_form(OFFERS, Recipe.KARAOKE)
    for recipe in (each for each in Recipe if each in COVERING):
        job = a_job(
            State.DELIVERED,
            id=JobId("k7f2q"),
            title=title,
            request=replace(REQUEST, recipe=recipe),
            analysis=Analysis(key=_KEY, grid=_GRID, tuning_cents=-49),
        )
        for rendition in (UNCHANGED, _longest(job)):
            yield key_form(job, rendition)
            yield mix_form(job, rendition)


def _lists(title: str, job_id: str) -> Iterator[Card]:
    ids = [JobId(f"{job_id[:-2]}{number:02}") for number in range(40)]
    states = zip(State, ids, strict=False)
    yield jobs_card([a_job(state, id=each, title=title) for state, each in states])
    yield jobs_card([a_job(State.DELIVERED, id=each, title=title) for each in ids[:25]])
    yield jobs_card([a_job(State.PROCESSING, id=each, title=title) for each in ids[:25]])
    yield jobs_card([])


def _results(folder: Path, names: dict[str, Any], url: str) -> Iterator[Card]:
    expires_at = NOW + timedelta(hours=1)
    link = DeliveryLink(
        stem=Stem.NO_DRUMS, url=f"https://{url}", audio_format=None, expires_at=expires_at
    )
    delivery = a_delivery(
        folder, links=(link,) * 6, alternatives=_FORMATS, sent=DeliveryDifference.LOWER_BIT_RATE
    )
    for recipe in Recipe:
        job = a_job(State.READY, **names, request=replace(REQUEST, recipe=recipe))
        yield result_card(job, delivery)
    yield from _renditions(replace(delivery, mixer_url=f"https://{url}"), names)
    job = a_job(State.READY, **names)
    clip = ClipDelivery(file=folder, stem=Stem.NO_DRUMS, start=158_000_000, frames=220_500)
    yield from (
        result_card(job, replace(delivery, sent=DeliveryDifference.MP3_INSTEAD, usage=None)),
        result_card(job, replace(delivery, alternatives=(AudioFormat.FLAC, AudioFormat.WAV))),
        result_card(job, replace(delivery, sent=DeliveryDifference.FLAC_INSTEAD)),
        result_card(replace(job, is_voiceless=True), delivery),
        result_card(replace(job, is_unnamed=True), delivery),
        result_card(replace(job, repeat_of=JobId("22222")), delivery),
        forwarded_card(job, delivery),
        *(shown_again_card(job, delivery, place=place) for place in Place),
        clip_card(job, clip),
        clip_added_card(job, names["title"]),
        interrupted_card(job, Button(Action.CLIP, job.id, "♪")),
        interrupted_card(job, render_button(job, UNCHANGED, "♪")),
        interrupted_card(job, zip_button(job, "♪")),
        dm_copy_card(job, delivery),
        continued_card(job),
    )


def _zips(names: dict[str, Any], url: str) -> Iterator[Card]:
    made = ZipDelivery(filename="♪", size_bytes=5, audio_format=AudioFormat.MP3)
    linked = replace(made, url=f"https://{url}", expires_at=NOW + timedelta(hours=1))
    lowered = replace(made, sent=DeliveryDifference.LOWER_BIT_RATE)
    for each in (made, linked, lowered):
        yield zip_card(a_job(State.DELIVERED, **names), each)


def song_named(title: str) -> Source:
    """Return a file with this title."""
    return replace(REQUEST.source, filename=f"{title}.mp3")


def a_batch(
    *, title: str = "♪", batch_id: str = "k7f2q", jobs: Sequence[Job] = (), **changes: Any
) -> BatchContent:
    """Return a batch of ten songs. The first songs are these jobs, and the others wait."""
    batch = Batch(
        id=BatchId(batch_id),
        interaction_id=LARGEST_ID,
        user_id=REQUEST.user_id,
        recipe=REQUEST.recipe,
        audio_format=REQUEST.audio_format,
        entry=REQUEST.entry,
        reply=REPLY,
        created_at=NOW,
        updated_at=NOW,
        acknowledged_at=NOW,
    )
    ids: list[JobId | None] = [*(job.id for job in jobs), *[None] * (10 - len(jobs))]
    songs = [
        BatchSong(number=number, source=song_named(title), job_id=job_id)
        for number, job_id in enumerate(ids, 1)
    ]
    return BatchContent(
        batch=replace(batch, **changes), songs=songs, jobs={job.id: job for job in jobs}
    )


def _batches(title: str, job_id: str) -> Iterator[Card]:
    ids = [JobId(f"{job_id[:-2]}{number:02}") for number in range(10)]
    names: dict[str, Any] = {"title": title, "batch_id": job_id}
    yield batch_card(a_batch(**names), {}, is_closing=True)
    for state in (State.PROCESSING, State.DELIVERED):
        jobs = [a_job(state, id=each, title=title) for each in ids]
        progress = {each: Progress(stage=Stage.SEPARATING, fraction=0.5) for each in ids}
        yield batch_card(a_batch(**names, jobs=jobs), progress, is_closing=True)
        ended = a_batch(**names, jobs=jobs, is_final=True, reason=Reason.STOPPED_BY_USER)
        yield batch_card(ended, {}, is_dm_copy=True)
    for reason in Reason:
        failed = [
            a_job(State.FAILED, id=each, title=title, problem=Problem(reason)) for each in ids
        ]
        yield batch_card(a_batch(**names, jobs=failed, is_final=True), {})
    made = ZipDelivery(filename="♪", size_bytes=5, audio_format=AudioFormat.MP3)
    yield songs_zip_card([a_job(State.DELIVERED, title=title)] * 10, made)
    again = Button(Action.ZIP_BATCH, job_id, "♪")
    yield interrupted_card(a_job(State.DELIVERED, title=title), again)


def _renditions(delivery: Delivery, names: dict[str, Any]) -> Iterator[Card]:
    """Yield cards with the longest descriptions of analyses and renditions."""
    tempo = TempoEstimate(bpm=119.6, octave_bpm=59.8)
    for recipe in (Recipe.KARAOKE, Recipe.SIX_STEMS, Recipe.DRUMS):
        job = a_job(
            State.DELIVERED,
            # With a longer id, the longest token of a rendition would not fit into a custom id.
            **names | {"id": JobId("k7f2q")},
            request=replace(REQUEST, recipe=recipe),
            analysis=Analysis(key=_KEY, tempo=tempo, tuning_cents=-49),
        )
        yield result_card(job, delivery)
        for rendition in (Rendition(cents=-1200, speed_percent=50), _longest(job)):
            for place in Place:
                yield rendition_card(job.asked_as(rendition=rendition), delivery, place=place)


def _longest(job: Job) -> Rendition:
    """Return a rendition of the job with the longest token."""
    return Rendition(
        cents=-1199,
        speed_percent=149,
        levels=tuple((stem, 199) for stem in job.stems),
        click=Click(count_in_bars=2, is_throughout=True, grid=ClickGrid.DOUBLE),
    )


def _admin_cards(provider: str) -> Iterator[Card]:
    cooling = a_provider(title=provider, rests_until=NOW, cause=AttemptError.AUTH, book=BOOK)
    every_channel = frozenset(range(LARGEST_ID - 100, LARGEST_ID))
    for lines in (
        admin_texts.provider_lines((cooling,) * 30),
        admin_texts.stats_lines(stats(PeriodKind.WEEK, daily_cap=10)),
        admin_texts.rules_lines(GuildRules(delivery=DeliveryMode.LINKS, channel_ids=every_channel)),
        admin_texts.rules_lines(GuildRules()),
    ):
        yield Card(title="♪", lines=lines, tone=Tone.QUIET)
