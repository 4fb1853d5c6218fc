"""Sentences for the owner and for server managers, without any decisions."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict

from bot.admin.overview import ProviderState, Stats
from bot.domain.attempt import AttemptError, AttemptState
from bot.domain.errors import Reason
from bot.domain.guilds import DeliveryMode, GuildRules
from bot.domain.job import State
from bot.domain.periods import Period
from bot.i18n.translation import Message, PluralMessage, gettext
from bot.ui.texts.figures import moment, row
from bot.ui.texts.names import FORMATS, RECIPES
from bot.ui.texts.safe_text import safe
from bot.ui.texts.usage_texts import period as period_words

MAX_PROVIDERS = 15
MAX_TITLE = 40
MAX_CHANNELS = 40

DELIVERY: dict[DeliveryMode, Message] = {
    DeliveryMode.AUTO: Message("Files that fit, links for the rest"),
    DeliveryMode.FILES: Message("Files only"),
    DeliveryMode.LINKS: Message("Links only"),
}

CAUSES: dict[AttemptError, Message] = {
    AttemptError.AUTH: Message("it rejects the key"),
    AttemptError.QUOTA_SPENT: Message("its credit is used up"),
    AttemptError.BUSY: Message("it is at its limit"),
    AttemptError.DOWN: Message("it can't be reached"),
    AttemptError.PROTOCOL: Message("its answers are invalid"),
    AttemptError.REFUSED: Message("it rejected the song"),
    AttemptError.UNCERTAIN: Message("it didn't answer"),
    AttemptError.STARVED: Message("this machine has too little memory for it"),
    AttemptError.FAILED: Message("it failed"),
    AttemptError.LOST: Message("it lost the song"),
    AttemptError.TIMED_OUT: Message("it took too long"),
    AttemptError.RESULTS_NOT_FETCHED: Message("its results did not arrive"),
    AttemptError.PROVIDER_REMOVED: Message("it is no longer configured"),
    AttemptError.INTERRUPTED: Message("the bot was stopped"),
    AttemptError.STOPPED: Message("the bot was stopped"),
    AttemptError.UNKNOWN: Message("it failed"),
}

WHY_FAILED: dict[Reason, Message] = {
    Reason.NOT_AUDIO: Message("not audio"),
    Reason.EMPTY_FILE: Message("empty file"),
    Reason.NO_AUDIO_TRACK: Message("no audio track"),
    Reason.BROKEN_FILE: Message("broken file"),
    Reason.UNREAD_KIND: Message("unknown kind of file"),
    Reason.UNREAD_CODEC: Message("unknown codec"),
    Reason.TOO_SHORT: Message("too short"),
    Reason.TOO_BIG: Message("too big"),
    Reason.TOO_LONG: Message("too long"),
    Reason.DOWNLOAD_FAILED: Message("download failed"),
    Reason.QUOTA: Message("no minutes left"),
    Reason.SPEND_CAP: Message("daily cap reached"),
    Reason.NO_PROVIDER: Message("no provider"),
    Reason.PROVIDERS_FAILED: Message("providers failed"),
    Reason.TIMED_OUT: Message("timed out"),
    Reason.DISK_FULL: Message("disk full"),
    Reason.SOURCE_GONE: Message("file gone"),
    Reason.STEMS_LOST: Message("stems lost"),
    Reason.INTERNAL: Message("internal error"),
    Reason.TOO_MANY_REPEATS: Message("too many repeats"),
    Reason.MACHINE_TOO_SMALL: Message("too little memory"),
}

PROVIDERS = Message("Providers")
FIGURES = Message("Statistics")
THIS_SERVER = Message("This server")

ALLOWED = Message("{who} can use {minutes} min per period, everywhere.")
ALLOWED_ROLE = Message("{who} can use {minutes} min per period in this server.")
LIMITED = Message("{who} can use at most {minutes} min per period in this server.")
UNSET = Message("{who} no longer has a setting of their own.")
GRANTED = Message("{who} has {minutes} extra min {period}.")
HANDED_OUT = Message(
    "{who} has {minutes} min from this server to use here. Unused ones expire {when}. The "
    "pool has {left} min left."
)
POOL_FILLED = Message("The pool of **{server}** has {left} min to hand out.")
POOL_EMPTIED = Message("You took {minutes} min back from this server's pool.")
RESET = Message("{who} got {minutes} used min back. Minutes on hold stay on hold.")
BLOCKED_EVERYWHERE = Message("{who} is blocked everywhere. Songs in progress will still finish.")
BLOCKED_HERE = Message("{who} is blocked in this server. Songs in progress will still finish.")
UNBLOCKED = Message("{who} can split songs again.")
NOT_BLOCKED = Message("{who} was not blocked.")

READY = Message("ready")
LEFT_OUT = Message("not used: {why}")
PAUSED = Message("paused, back {when}: {cause}")
QUEUE = Message("{inside} running, {waiting} waiting")
RUNS_ON = Message("on {device}")
SPENT = Message("{submitted} min submitted today")
SPENT_IN_DOUBT = Message(
    "{submitted} min submitted today, {uncertain} of them uncertain and {abandoned} abandoned"
)

SONGS_TODAY = Message("**Today:** {songs}")
SONGS_PERIOD = Message("**Songs {period}:** {songs}")
SONGS_IN: dict[State, PluralMessage] = {
    State.RECEIVED: PluralMessage("{count} starting", "{count} starting", by="count"),
    State.HELD: PluralMessage("{count} in line", "{count} in line", by="count"),
    State.SUBMITTING: PluralMessage("{count} being sent", "{count} being sent", by="count"),
    State.PROCESSING: PluralMessage(
        "{count} being separated", "{count} being separated", by="count"
    ),
    State.READY: PluralMessage("{count} being delivered", "{count} being delivered", by="count"),
    State.DELIVERED: PluralMessage("{count} done", "{count} done", by="count"),
    State.KEPT: PluralMessage("{count} made but not sent", "{count} made but not sent", by="count"),
    State.FAILED: PluralMessage("{count} failed", "{count} failed", by="count"),
    State.CANCELLED: PluralMessage("{count} cancelled", "{count} cancelled", by="count"),
}
NO_SONGS = Message("no songs")
TURNOVER = Message("**Minutes {period}:** {used} used, {held} on hold, {given_back} given back")
SPEND_TODAY = Message("**Submitted to providers:** {today} min today")
SPEND_TODAY_CAPPED = Message("**Submitted to providers:** {today} of {cap} min today")
SPEND_PERIOD = Message("**Submitted to providers:** {today} min today, {total} min {period}")
SPEND_PERIOD_CAPPED = Message(
    "**Submitted to providers:** {today} of {cap} min today, {total} min {period}"
)
FAILURES = Message("**Why songs failed {period}:** {failures}")
ERRORS = Message("**Provider errors {period}:** {errors}")

ANYWHERE = Message("**Channels:** all")
CHANNELS = Message("**Channels:** {channels}")
DEFAULTS = Message("**Defaults:** {stems}, {format}, {visibility}")
DELIVERED = Message("**Delivery:** {delivery}")
PUBLIC = Message("visible to everyone")
PRIVATE = Message("visible only to the person who asks")
AS_EVERYWHERE = Message("As set for the whole bot")


def provider_lines(providers: tuple[ProviderState, ...]) -> tuple[str, ...]:
    """Describe the state of each provider, one line each."""
    return tuple(map(_provider_line, providers[:MAX_PROVIDERS]))


def stats_lines(stats: Stats) -> tuple[str, ...]:
    """Describe what happened today and in the period."""
    period = period_words(stats.period)
    lines = [gettext(SONGS_TODAY, songs=_songs(stats.today.jobs))]
    if stats.this_period != stats.today:
        lines.append(gettext(SONGS_PERIOD, period=period, songs=_songs(stats.this_period.jobs)))
    lines.append(gettext(TURNOVER, period=period, **asdict(stats.turnover)))
    lines.append(_spend(stats, period))
    if stats.reasons:
        failures = (f"{count} × {_why(reason)}" for reason, count in stats.reasons)
        lines.append(gettext(FAILURES, period=period, failures=row(failures)))
    if stats.errors:
        errors = (
            f"{count} × {safe(title)}: {gettext(CAUSES[error])}"
            for title, error, count in stats.errors
        )
        lines.append(gettext(ERRORS, period=period, errors=row(errors)))
    return tuple(lines)


def rules_lines(rules: GuildRules) -> tuple[str, ...]:
    """Describe a server's rules."""
    channels = sorted(rules.channel_ids)
    named = " ".join(f"<#{channel_id}>" for channel_id in channels[:MAX_CHANNELS])
    more = " …" if len(channels) > MAX_CHANNELS else ""
    return (
        gettext(CHANNELS, channels=named + more) if channels else gettext(ANYWHERE),
        gettext(
            DEFAULTS,
            stems=gettext(RECIPES[rules.recipe_for(None)]),
            format=FORMATS[rules.format_for(None)],
            visibility=gettext(PRIVATE if rules.is_private_for(None) else PUBLIC),
        ),
        gettext(
            DELIVERED,
            delivery=gettext(DELIVERY[rules.delivery] if rules.delivery else AS_EVERYWHERE),
        ),
    )


def granted(who: str, minutes: int, period: Period) -> str:
    """Say how many minutes the owner gave."""
    return gettext(GRANTED, who=who, minutes=minutes, period=period_words(period))


def handed_out(who: str, minutes: int, left: int, period: Period) -> str:
    """Say how many minutes a manager gave, and how many the pool has left."""
    when = moment(period.ends_at)
    return gettext(HANDED_OUT, who=who, minutes=minutes, left=left, when=when)


def _provider_line(provider: ProviderState) -> str:
    title = f"**{safe(provider.title, MAX_TITLE)}** · {_state(provider)}"
    return "\n".join((title, *_work_of(provider)))


def _work_of(provider: ProviderState) -> Iterator[str]:
    """Describe a provider's work, on a second line so that its state stands out on the first."""
    parts = []
    if provider.left_out is None:
        parts.append(gettext(QUEUE, inside=provider.inside, waiting=provider.waiting))
    if provider.device is not None:
        parts.append(
            gettext(RUNS_ON, device=safe(f"{provider.device.kind}, {provider.device.name}"))
        )
    book = provider.book
    if provider.is_hosted and (provider.left_out is None or book.submitted):
        uncertain = book.minutes.get(AttemptState.UNCERTAIN, 0)
        abandoned = book.minutes.get(AttemptState.ABANDONED, 0)
        template = SPENT_IN_DOUBT if uncertain or abandoned else SPENT
        parts.append(
            gettext(template, submitted=book.submitted, uncertain=uncertain, abandoned=abandoned)
        )
    if parts:
        yield " · ".join(parts)


def _state(provider: ProviderState) -> str:
    if provider.left_out is not None:
        return gettext(LEFT_OUT, why=safe(provider.left_out))
    if provider.rests_until is None:
        return gettext(READY)
    cause = gettext(CAUSES[provider.cause or AttemptError.UNKNOWN])
    return gettext(PAUSED, when=moment(provider.rests_until), cause=cause)


def _why(reason: Reason) -> str:
    return gettext(WHY_FAILED[reason]) if reason in WHY_FAILED else reason.replace("_", " ")


def _songs(jobs: Mapping[State, int]) -> str:
    counted = [gettext(SONGS_IN[state], count=jobs[state]) for state in State if jobs.get(state)]
    return row(counted) or gettext(NO_SONGS)


def _spend(stats: Stats, period: str) -> str:
    if stats.this_period == stats.today:
        template = SPEND_TODAY if stats.daily_cap is None else SPEND_TODAY_CAPPED
    else:
        template = SPEND_PERIOD if stats.daily_cap is None else SPEND_PERIOD_CAPPED
    return gettext(
        template,
        today=stats.today.submitted,
        cap=stats.daily_cap,
        total=stats.this_period.submitted,
        period=period,
    )
