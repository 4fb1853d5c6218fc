"""Every sentence that the owner and servers' managers read; nothing is decided here."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict

from bot.admin.overview import ProviderState, Stats
from bot.domain.attempt import AttemptState
from bot.domain.errors import Reason
from bot.domain.guilds import DeliveryMode, ServerRules
from bot.domain.job import State
from bot.domain.minutes import Period
from bot.i18n.translation import Counted, Text, say
from bot.ui.texts.figures import moment, row
from bot.ui.texts.names import FORMATS, RECIPES
from bot.ui.texts.safe_text import safe
from bot.ui.texts.usage_texts import period as words_of

MOST_PROVIDERS = 20
LONGEST_TITLE = 40
MOST_CHANNELS = 40

DELIVERY: dict[DeliveryMode, Text] = {
    DeliveryMode.AUTO: Text("Files that fit, links for the rest"),
    DeliveryMode.FILES: Text("Files only"),
    DeliveryMode.LINKS: Text("Links only"),
}

CAUSES: dict[str, Text] = {
    "ProviderAuth": Text("its key is refused"),
    "ProviderQuotaSpent": Text("its credit is used up"),
    "ProviderBusy": Text("it is at its limit"),
    "ProviderDown": Text("it is out of reach"),
    "ProviderProtocol": Text("its answers make no sense"),
    "ProviderRefused": Text("it does not want the song"),
    "SubmitUncertain": Text("it did not answer"),
    "Interrupted": Text("the bot stopped meanwhile"),
    "Stopped": Text("the bot stopped meanwhile"),
}

WHY_FAILED: dict[Reason, Text] = {
    Reason.NOT_AUDIO: Text("not audio"),
    Reason.EMPTY_FILE: Text("empty file"),
    Reason.NO_AUDIO_TRACK: Text("no audio track"),
    Reason.BROKEN_FILE: Text("broken file"),
    Reason.TOO_BIG: Text("too big"),
    Reason.TOO_LONG: Text("too long"),
    Reason.DOWNLOAD_FAILED: Text("download failed"),
    Reason.QUOTA: Text("no minutes left"),
    Reason.SPEND_CAP: Text("daily cap reached"),
    Reason.NO_PROVIDER: Text("no provider"),
    Reason.PROVIDERS_FAILED: Text("providers failed"),
    Reason.TIMED_OUT: Text("timed out"),
    Reason.DISK_FULL: Text("disk full"),
    Reason.SOURCE_GONE: Text("file gone"),
    Reason.STEMS_LOST: Text("stems lost"),
    Reason.INTERNAL: Text("a fault of the bot"),
}

PROVIDERS = Text("Providers")
FIGURES = Text("Figures")
THIS_SERVER = Text("This server")

ALLOWED = Text("{who} may use {minutes} min in a period, wherever they ask.")
ALLOWED_ROLE = Text("{who} may use {minutes} min in a period, when they ask in this server.")
LIMITED = Text("{who} may use at most {minutes} min in a period, when they ask in this server.")
UNSET = Text("Nothing is set for {who} any more.")
GRANTED = Text("{who} has {minutes} min more {period}.")
HANDED_OUT = Text(
    "{who} has {minutes} min of this server's to spend here. What is left of them lapses {when}. "
    "The pool has {left} min left."
)
POOL_FILLED = Text("The pool of **{server}** has {left} min to hand out.")
POOL_EMPTIED = Text("You took {minutes} min back from this server's pool.")
RESET = Text("{who} got {minutes} used min back. What is on hold stays on hold.")
BLOCKED_EVERYWHERE = Text("{who} is blocked everywhere. Songs on the way will still be finished.")
BLOCKED_HERE = Text("{who} is blocked in this server. Songs on the way will still be finished.")
UNBLOCKED = Text("{who} may split songs again.")
NOT_BLOCKED = Text("{who} was not blocked.")

READY = Text("ready")
LEFT_OUT = Text("not used: {why}")
RESTING = Text("resting, back {when}: {cause}")
UNKNOWN_CAUSE = Text("it failed")
LINE = Text("{inside} at work, {waiting} waiting")
SPENT = Text("{submitted} min submitted today")
SPENT_IN_DOUBT = Text(
    "{submitted} min submitted today, {uncertain} of them uncertain and {abandoned} abandoned"
)

SONGS_TODAY = Text("**Today:** {songs}")
SONGS_PERIOD = Text("**Songs {period}:** {songs}")
SONGS_IN: dict[State, Counted] = {
    State.RECEIVED: Counted("{count} starting", "{count} starting", by="count"),
    State.HELD: Counted("{count} in line", "{count} in line", by="count"),
    State.SUBMITTING: Counted("{count} being sent", "{count} being sent", by="count"),
    State.PROCESSING: Counted("{count} being separated", "{count} being separated", by="count"),
    State.READY: Counted("{count} being delivered", "{count} being delivered", by="count"),
    State.DELIVERED: Counted("{count} done", "{count} done", by="count"),
    State.KEPT: Counted("{count} made but not sent", "{count} made but not sent", by="count"),
    State.FAILED: Counted("{count} failed", "{count} failed", by="count"),
    State.CANCELLED: Counted("{count} cancelled", "{count} cancelled", by="count"),
}
NO_SONGS = Text("no songs")
TURNOVER = Text("**Minutes {period}:** {used} used, {held} on hold, {given_back} given back")
SPEND_TODAY = Text("**Submitted to providers:** {today} min today")
SPEND_TODAY_CAPPED = Text("**Submitted to providers:** {today} of {cap} min today")
SPEND_PERIOD = Text("**Submitted to providers:** {today} min today, {total} min {period}")
SPEND_PERIOD_CAPPED = Text(
    "**Submitted to providers:** {today} of {cap} min today, {total} min {period}"
)
FAILURES = Text("**Why songs failed {period}:** {failures}")
ERRORS = Text("**What providers answered {period}:** {errors}")

ANYWHERE = Text("**Channels:** everywhere")
CHANNELS = Text("**Channels:** {channels}")
DEFAULTS = Text("**By default:** {stems}, {format}, {visibility}")
DELIVERED = Text("**Delivery:** {delivery}")
PUBLIC = Text("seen by everybody")
PRIVATE = Text("seen by the asker alone")
AS_EVERYWHERE = Text("As everywhere")


def provider_lines(providers: tuple[ProviderState, ...]) -> tuple[str, ...]:
    """Say how each provider does."""
    return tuple(map(_provider_line, providers[:MOST_PROVIDERS]))


def stats_lines(stats: Stats) -> tuple[str, ...]:
    """Say what happened today and in the period."""
    period = words_of(stats.period)
    lines = [say(SONGS_TODAY, songs=_songs(stats.today.jobs))]
    if stats.this_period != stats.today:
        lines.append(say(SONGS_PERIOD, period=period, songs=_songs(stats.this_period.jobs)))
    lines.append(say(TURNOVER, period=period, **asdict(stats.turnover)))
    lines.append(_spend(stats, period))
    if stats.reasons:
        failures = (f"{count} × {_why(reason)}" for reason, count in stats.reasons)
        lines.append(say(FAILURES, period=period, failures=row(failures)))
    if stats.errors:
        errors = (
            f"{count} × {safe(title)}: {say(CAUSES[error]) if error in CAUSES else safe(error)}"
            for title, error, count in stats.errors
        )
        lines.append(say(ERRORS, period=period, errors=row(errors)))
    return tuple(lines)


def rules_lines(rules: ServerRules) -> tuple[str, ...]:
    """Say what a server decided for itself."""
    channels = sorted(rules.channel_ids)
    named = " ".join(f"<#{channel_id}>" for channel_id in channels[:MOST_CHANNELS])
    more = " …" if len(channels) > MOST_CHANNELS else ""
    return (
        say(CHANNELS, channels=named + more) if channels else say(ANYWHERE),
        say(
            DEFAULTS,
            stems=say(RECIPES[rules.recipe_for(None)]),
            format=FORMATS[rules.format_for(None)],
            visibility=say(PRIVATE if rules.is_private_for(None) else PUBLIC),
        ),
        say(DELIVERED, delivery=say(DELIVERY[rules.delivery] if rules.delivery else AS_EVERYWHERE)),
    )


def granted(who: str, minutes: int, period: Period) -> str:
    """Say what the owner gave."""
    return say(GRANTED, who=who, minutes=minutes, period=words_of(period))


def handed_out(who: str, minutes: int, left: int, period: Period) -> str:
    """Say what a manager gave, and what is left in the pool."""
    when = moment(period.ends_at)
    return say(HANDED_OUT, who=who, minutes=minutes, left=left, when=when)


def _provider_line(provider: ProviderState) -> str:
    title = f"**{safe(provider.title, LONGEST_TITLE)}** · {_state(provider)}"
    return "\n".join((title, *_work_of(provider)))


def _work_of(provider: ProviderState) -> Iterator[str]:
    """Say what it does, on a line of its own: with everything on one nobody finds the state."""
    parts = []
    if provider.left_out is None:
        parts.append(say(LINE, inside=provider.inside, waiting=provider.waiting))
    book = provider.book
    if provider.is_hosted and (provider.left_out is None or book.submitted):
        uncertain = book.minutes.get(AttemptState.UNCERTAIN, 0)
        abandoned = book.minutes.get(AttemptState.ABANDONED, 0)
        template = SPENT_IN_DOUBT if uncertain or abandoned else SPENT
        parts.append(
            say(template, submitted=book.submitted, uncertain=uncertain, abandoned=abandoned)
        )
    if parts:
        yield " · ".join(parts)


def _state(provider: ProviderState) -> str:
    if provider.left_out is not None:
        return say(LEFT_OUT, why=safe(provider.left_out))
    if provider.rests_until is None:
        return say(READY)
    cause = say(CAUSES.get(provider.cause or "", UNKNOWN_CAUSE))
    return say(RESTING, when=moment(provider.rests_until), cause=cause)


def _why(reason: Reason) -> str:
    return say(WHY_FAILED[reason]) if reason in WHY_FAILED else reason.replace("_", " ")


def _songs(jobs: Mapping[State, int]) -> str:
    counted = [say(SONGS_IN[state], count=jobs[state]) for state in State if jobs.get(state)]
    return row(counted) or say(NO_SONGS)


def _spend(stats: Stats, period: str) -> str:
    if stats.this_period == stats.today:
        template = SPEND_TODAY if stats.daily_cap is None else SPEND_TODAY_CAPPED
    else:
        template = SPEND_PERIOD if stats.daily_cap is None else SPEND_PERIOD_CAPPED
    return say(
        template,
        today=stats.today.submitted,
        cap=stats.daily_cap,
        total=stats.this_period.submitted,
        period=period,
    )
