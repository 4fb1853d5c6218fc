from datetime import timedelta
from typing import Any

import pytest

from bot.admin.overview import Figures
from bot.domain.attempt import AttemptError, AttemptState
from bot.domain.errors import Reason
from bot.domain.guilds import DeliveryMode, GuildRules
from bot.domain.job import State
from bot.domain.periods import PeriodKind
from bot.i18n.translation import active_language
from bot.providers.interface import Device
from bot.ui.cards.card import Card, Tone
from bot.ui.components.rendering import embed_of
from bot.ui.texts import admin_texts
from storage.stores.vendor_spending import ProviderUsage
from tests.support.card_factories import BOOK, NOW, a_provider, stats
from tests.support.installed_languages import installed

LONGEST_DESCRIPTION = 4096
EVIL = "@everyone **`" + "x" * 300


def line(**changes: Any) -> str:
    [found] = admin_texts.provider_lines((a_provider(**changes),))
    return found


def test_a_provider_that_works_says_so_and_what_it_was_sent() -> None:
    ready = line(inside=2, waiting=1, book=ProviderUsage(minutes={AttemptState.DONE: 14}))
    assert ready == "**FineVoice** · ready\n2 running, 1 waiting · 14 min submitted today"


def test_minutes_that_came_to_nothing_are_told_apart() -> None:
    assert line(book=BOOK).endswith("17 min submitted today, 3 of them uncertain and 4 abandoned")


def test_a_provider_in_this_process_costs_nothing() -> None:
    assert "submitted" not in line(is_hosted=False)


def test_a_resting_provider_says_until_when_and_why() -> None:
    resting = line(rests_until=NOW + timedelta(minutes=10), cause=AttemptError.AUTH)
    assert f"paused, back <t:{int(NOW.timestamp()) + 600}:R>: it rejects the key" in resting
    assert "it failed" in line(rests_until=NOW, cause=AttemptError.UNKNOWN)


def test_a_provider_that_is_left_out_says_why() -> None:
    assert line(left_out="FINEVOICE_API_KEY is not set") == (
        "**FineVoice** · not used: FINEVOICE\\_API\\_KEY is not set"
    )
    assert "17 min" in line(left_out="its key is gone", book=BOOK), "what was sent is still owed"


def test_every_reason_why_an_attempt_ends_has_words() -> None:
    assert set(admin_texts.CAUSES) == set(AttemptError)


def test_every_way_of_delivery_has_words() -> None:
    assert set(admin_texts.DELIVERY) == set(DeliveryMode)


def test_a_day_is_told_once_and_a_longer_period_beside_it() -> None:
    assert admin_texts.stats_lines(stats()) == (
        "**Today:** 8 done, 2 failed",
        "**Minutes today:** 120 used, 8 on hold, 14 given back",
        "**Submitted to providers:** 60 min today",
    )
    lately = Figures(jobs={State.DELIVERED: 30}, submitted=300)
    assert admin_texts.stats_lines(stats(PeriodKind.WEEK, this_period=lately, daily_cap=100)) == (
        "**Today:** 8 done, 2 failed",
        "**Songs this week:** 30 done",
        "**Minutes this week:** 120 used, 8 on hold, 14 given back",
        "**Submitted to providers:** 60 of 100 min today, 300 min this week",
    )


def test_songs_in_every_state_are_counted() -> None:
    assert set(admin_texts.SONGS_IN) == set(State)


@pytest.mark.parametrize(
    ("locale", "songs"),
    [
        ("en", "**Today:** 2 done, 1 made but not sent, 1 failed"),
        ("es", "**Hoy:** 2 terminadas, 1 hecha pero sin enviar, 1 fallida"),
        ("pt-BR", "**Hoje:** 2 prontas, 1 feita mas não enviada, 1 com falha"),
        ("ja", "**今日：**完了 2曲、未送信 1曲、失敗 1曲"),
    ],
)
def test_counted_songs_agree_with_their_number(locale: str, songs: str) -> None:
    today = Figures(jobs={State.DELIVERED: 2, State.KEPT: 1, State.FAILED: 1}, submitted=0)
    with active_language(installed().of(locale)):
        assert admin_texts.stats_lines(stats(today=today, this_period=today))[0] == songs


def test_what_went_wrong_is_counted() -> None:
    lines = admin_texts.stats_lines(
        stats(
            reasons=[(Reason.TIMED_OUT, 3), (Reason.TOO_LONG, 1)],
            errors=[("FineVoice", AttemptError.BUSY, 7)],
        )
    )
    assert lines[-2] == "**Why songs failed today:** 3 × timed out, 1 × too long"
    assert lines[-1] == "**Provider errors today:** 7 × FineVoice: it is at its limit"


def test_an_empty_house_says_so() -> None:
    nothing = Figures(jobs={}, submitted=0)
    assert admin_texts.stats_lines(stats(today=nothing, this_period=nothing))[0] == (
        "**Today:** no songs"
    )


FULL_HOUSE = tuple(
    a_provider(
        title=EVIL,
        rests_until=NOW,
        cause=AttemptError.QUOTA_SPENT,
        inside=99,
        waiting=999,
        book=BOOK,
    )
    for _ in range(60)
)
MANY_CHANNELS = GuildRules(channel_ids=frozenset(range(2**60, 2**60 + 500)))


@pytest.mark.parametrize(
    "lines",
    [
        admin_texts.provider_lines(FULL_HOUSE),
        admin_texts.stats_lines(
            stats(
                errors=[(EVIL, AttemptError.UNKNOWN, 10**6)] * 5,
                reasons=[(Reason.INTERNAL, 10**6)] * 5,
            )
        ),
        admin_texts.rules_lines(MANY_CHANNELS),
    ],
    ids=["providers", "stats", "rules"],
)
def test_the_fullest_card_fits_and_mentions_nobody(lines: tuple[str, ...]) -> None:
    embed = embed_of(Card(title="x", lines=lines, tone=Tone.QUIET))
    assert embed.description is not None
    assert len(embed.description) <= LONGEST_DESCRIPTION
    assert "@everyone" not in embed.description


def test_a_provider_of_this_machine_says_what_it_really_runs_on() -> None:
    state = a_provider(title="Stemcord", is_hosted=False, device=Device("cuda", "Some *Card*"))
    [found] = admin_texts.provider_lines((state,))
    assert "on cuda, Some \\*Card\\*" in found
