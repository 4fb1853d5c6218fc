"""Every sentence that the owner and servers' managers read; nothing is decided here."""

from collections.abc import Mapping
from dataclasses import asdict

from bot.domain.attempt import AttemptState
from bot.domain.job import State
from bot.domain.quota import Period
from bot.domain.servers import DeliveryMode, ServerRules
from bot.services.overview import ProviderState, Stats
from bot.ui.figures import moment
from bot.ui.messages import STATES
from bot.ui.messages import period as words_of
from bot.ui.names import FORMATS, RECIPES
from bot.ui.text import safe

MOST_PROVIDERS = 20
LONGEST_TITLE = 40
MOST_CHANNELS = 40

DELIVERY: dict[DeliveryMode, str] = {
    DeliveryMode.AUTO: "Files that fit, links for the rest",
    DeliveryMode.FILES: "Files only",
    DeliveryMode.LINKS: "Links only",
}

CAUSES: dict[str, str] = {
    "ProviderAuth": "its key is refused",
    "ProviderQuotaSpent": "its credit is used up",
    "ProviderBusy": "it is at its limit",
    "ProviderDown": "it is out of reach",
    "ProviderProtocol": "its answers make no sense",
    "ProviderRefused": "it does not want the song",
    "SubmitUncertain": "it did not answer",
    "Interrupted": "the bot stopped meanwhile",
    "Stopped": "the bot stopped meanwhile",
}

ALLOWED = "{who} may use {minutes} min in a period, wherever they ask."
ALLOWED_ROLE = "{who} may use {minutes} min in a period, when they ask in this server."
LIMITED = "{who} may use at most {minutes} min in a period, when they ask in this server."
UNSET = "Nothing is set for {who} any more."
GRANTED = "{who} has {minutes} min more {period}."
HANDED_OUT = (
    "{who} has {minutes} min of this server's to spend here. What is left of them lapses {when}. "
    "The pool has {left} min left."
)
POOL_FILLED = "The pool of **{server}** has {left} min to hand out."
POOL_EMPTIED = "You took {minutes} min back from this server's pool."
RESET = "{who} got {minutes} used min back. What is on hold stays on hold."
BLOCKED_EVERYWHERE = "{who} is blocked everywhere. Songs on the way are finished."
BLOCKED_HERE = "{who} is blocked in this server. Songs on the way are finished."
UNBLOCKED = "{who} may split songs again."
NOT_BLOCKED = "{who} was not blocked."

READY = "ready"
LEFT_OUT = "not used: {why}"
RESTING = "resting until {when}: {cause}"
UNKNOWN_CAUSE = "it failed"
LINE = "{inside} at work, {waiting} waiting"
SPENT = "{submitted} min submitted today"
SPENT_IN_DOUBT = (
    "{submitted} min submitted today, {uncertain} of them uncertain and {abandoned} abandoned"
)

SONGS_TODAY = "**Today:** {songs}"
SONGS_PERIOD = "**Songs {period}:** {songs}"
NO_SONGS = "no songs"
TURNOVER = "**Minutes {period}:** {used} used, {held} on hold, {given_back} given back"
SPEND_TODAY = "**Submitted to providers:** {today} min today"
SPEND_TODAY_CAPPED = "**Submitted to providers:** {today} of {cap} min today"
SPEND_PERIOD = "**Submitted to providers:** {today} min today, {total} min {period}"
SPEND_PERIOD_CAPPED = "**Submitted to providers:** {today} of {cap} min today, {total} min {period}"
FAILURES = "**Why songs failed {period}:** {failures}"
ERRORS = "**What providers answered {period}:** {errors}"

ANYWHERE = "**Channels:** everywhere"
CHANNELS = "**Channels:** {channels}"
DEFAULTS = "**When nothing is said:** {stems}, {format}, {visibility}"
DELIVERED = "**Delivery:** {delivery}"
PUBLIC = "seen by everybody"
PRIVATE = "seen by the asker alone"
AS_EVERYWHERE = "As everywhere"


def provider_lines(providers: tuple[ProviderState, ...]) -> tuple[str, ...]:
    """Say how each provider does."""
    return tuple(map(_provider_line, providers[:MOST_PROVIDERS]))


def stats_lines(stats: Stats) -> tuple[str, ...]:
    """Say what happened today and in the period."""
    period = words_of(stats.period)
    lines = [SONGS_TODAY.format(songs=_songs(stats.today.jobs))]
    if stats.this_period != stats.today:
        lines.append(SONGS_PERIOD.format(period=period, songs=_songs(stats.this_period.jobs)))
    lines.append(TURNOVER.format(period=period, **asdict(stats.turnover)))
    lines.append(_spend(stats, period))
    if stats.reasons:
        failures = (f"{count} × {reason.replace('_', ' ')}" for reason, count in stats.reasons)
        lines.append(FAILURES.format(period=period, failures=", ".join(failures)))
    if stats.errors:
        errors = (
            f"{count} × {safe(title)}: {CAUSES.get(error, safe(error))}"
            for title, error, count in stats.errors
        )
        lines.append(ERRORS.format(period=period, errors=", ".join(errors)))
    return tuple(lines)


def rules_lines(rules: ServerRules) -> tuple[str, ...]:
    """Say what a server decided for itself."""
    channels = sorted(rules.channel_ids)
    named = " ".join(f"<#{channel_id}>" for channel_id in channels[:MOST_CHANNELS])
    more = " …" if len(channels) > MOST_CHANNELS else ""
    return (
        CHANNELS.format(channels=named + more) if channels else ANYWHERE,
        DEFAULTS.format(
            stems=RECIPES[rules.recipe_for(None)],
            format=FORMATS[rules.format_for(None)],
            visibility=PRIVATE if rules.is_private_for(None) else PUBLIC,
        ),
        DELIVERED.format(delivery=DELIVERY[rules.delivery] if rules.delivery else AS_EVERYWHERE),
    )


def granted(who: str, minutes: int, period: Period) -> str:
    """Say what the owner gave."""
    return GRANTED.format(who=who, minutes=minutes, period=words_of(period))


def handed_out(who: str, minutes: int, left: int, period: Period) -> str:
    """Say what a manager gave, and what is left in the pool."""
    when = moment(period.ends_at)
    return HANDED_OUT.format(who=who, minutes=minutes, left=left, when=when)


def _provider_line(provider: ProviderState) -> str:
    parts = [f"**{safe(provider.title, LONGEST_TITLE)}**", _state(provider)]
    if provider.left_out is None:
        parts.append(LINE.format(inside=provider.inside, waiting=provider.waiting))
    book = provider.book
    if provider.is_hosted and (provider.left_out is None or book.submitted):
        uncertain = book.minutes.get(AttemptState.UNCERTAIN, 0)
        abandoned = book.minutes.get(AttemptState.ABANDONED, 0)
        template = SPENT_IN_DOUBT if uncertain or abandoned else SPENT
        parts.append(
            template.format(submitted=book.submitted, uncertain=uncertain, abandoned=abandoned)
        )
    return " · ".join(parts)


def _state(provider: ProviderState) -> str:
    if provider.left_out is not None:
        return LEFT_OUT.format(why=safe(provider.left_out))
    if provider.rests_until is None:
        return READY
    cause = CAUSES.get(provider.cause or "", UNKNOWN_CAUSE)
    return RESTING.format(when=moment(provider.rests_until), cause=cause)


def _songs(jobs: Mapping[State, int]) -> str:
    counted = [f"{jobs[state]} {STATES[state].lower()}" for state in State if jobs.get(state)]
    return ", ".join(counted) or NO_SONGS


def _spend(stats: Stats, period: str) -> str:
    if stats.this_period == stats.today:
        template = SPEND_TODAY if stats.daily_cap is None else SPEND_TODAY_CAPPED
    else:
        template = SPEND_PERIOD if stats.daily_cap is None else SPEND_PERIOD_CAPPED
    return template.format(
        today=stats.today.submitted,
        cap=stats.daily_cap,
        total=stats.this_period.submitted,
        period=period,
    )
