"""Many jobs in few channels under Discord's real rate limits, to measure how late cards are.

The tokens of the first half expire while the jobs wait. Their replies are then edited by channel
or, if private, replaced by direct messages. The second half is sent later and edited by token.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from bot.domain.job import State
from sandbox.faults import Fault
from sandbox.interactions import TOKEN_LIFETIME_S
from tests.chaos.bot import CONCURRENCY
from tests.chaos.checks import broken_promises
from tests.chaos.edit_recorder import OVER, RANKS, EditRecorder, RecordedEdit
from tests.chaos.harness import ChaosHarness, open_harness
from tests.chaos.measurements import Figure, at_most, none_of, note
from tests.chaos.scenes.kills import unfinished
from tests.chaos.services import GO, Script

NAME = "channels"
CHANNELS = ("karaoke", "lounge", "stage", "bar", "terrace")
COMMANDS_A_SECOND = 20
PEOPLE = 50
PRIVATE_EVERY = 11
"""One in this many songs is private: not a multiple of len(CHANNELS), so each gets some."""
LATENCY_S = 0.15
"""How long Discord takes for an edit."""
TOKEN_LAG_S = 10.0
CHANNEL_EDIT_S = 1.0
"""Discord allows five edits of a channel in five seconds."""
SLACK_S = 3.0
"""Events are stored in whole seconds, and stems are encoded before they are shown."""
_SETTINGS = {CONCURRENCY: "32", "STEMCORD_POLL_MIN_S": "0.5", "STEMCORD_POLL_MAX_S": "2"}
_MIX = (Script.PLAIN,) * 6 + (Script.SLOW,) * 3 + (Script.NOBODY,)
_ANSWERED = "SELECT count(*) FROM jobs WHERE acknowledged_at IS NOT NULL"
_PUBLIC = (
    "SELECT id, channel_id, message_id, created_at FROM jobs "
    "WHERE acknowledged_at IS NOT NULL AND context = 'guild'"
)
_EVENTS = "SELECT job_id, to_state, at FROM events ORDER BY id"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobHistory:
    """One job: its stored events and the recorded edits of its message."""

    job_id: str
    channel_id: int
    created_at: float
    events: Sequence[tuple[State, float]]
    edits: Sequence[RecordedEdit]

    def lags_s(self) -> Iterator[float]:
        """Yield, for each change of state, how long the message took to show it or a later one."""
        for state, at in self.events:
            rank = RANKS.get(state, OVER)
            seen = (edit.at for edit in self.edits if edit.rank >= rank)
            yield max(0.0, next(seen, float("inf")) - at)

    @property
    def last_edit(self) -> tuple[float, float]:
        """Return when the job ended and when its message showed that."""
        ends = (at for state, at in self.events if RANKS.get(state, OVER) >= RANKS[State.READY])
        shown = (edit.at for edit in self.edits if edit.rank == OVER)
        return next(ends), next(shown, float("inf"))


async def channels(home: Path, *, seed: int, jobs: int) -> list[Figure]:
    """Send songs to all channels, and let half of the tokens expire before any job finishes."""
    random = Random(seed)
    async with open_harness(home / NAME, people=PEOPLE, settings=_SETTINGS) as harness:
        _prepare_channels(harness)
        async with EditRecorder.at(harness.sandbox) as recorder, harness.running_bot():
            await _send(harness, [Script.UNTIL_TOLD] * (jobs // 2))
            expired_at = _expire_tokens(harness)
            (harness.home / GO).touch()
            await _send(harness, random.choices(_MIX, k=jobs - jobs // 2))
            is_drained = await harness.drained(60 + jobs * CHANNEL_EDIT_S)
        histories, answered = _histories(harness, recorder), harness.rows(_ANSWERED)[0][0]
        return [
            note(NAME, "jobs, of them private", f"{answered}, {answered - len(histories)}"),
            note(NAME, "channels, edits in them", f"{len(CHANNELS)}, {len(recorder.edits)}"),
            at_most(NAME, "songs not answered in time", jobs - answered, 0),
            none_of(NAME, "rate limits hit", [f"{k}: {n}" for k, n in _refusals(harness)]),
            *_by_token([each for each in histories if each.created_at >= expired_at]),
            *_by_channel([each for each in histories if each.created_at < expired_at], expired_at),
            none_of(NAME, "broken promises", unfinished(is_drained) + broken_promises(harness)),
        ]


def _prepare_channels(harness: ChaosHarness) -> None:
    """Add the channels, enforce Discord's rate limits and slow down its edits."""
    world = harness.sandbox.world
    guild_id = next(iter(world.guilds))
    for name in {*CHANNELS} - {channel.name for channel in world.channels.values()}:
        world.add_text_channel(guild_id, name)
    harness.sandbox.limits.is_enabled = True
    harness.sandbox.faults.add(Fault(route="PATCH *", delay_s=LATENCY_S))


async def _send(harness: ChaosHarness, songs: Sequence[Script]) -> None:
    people = harness.users.people
    for number, song in enumerate(songs):
        channel = CHANNELS[number % len(CHANNELS)]
        is_private = number % PRIVATE_EVERY == PRIVATE_EVERY - 1
        person = people[number % len(people)]
        harness.users.split_soon(song, person, channel=channel, private=is_private)
        await asyncio.sleep(1 / COMMANDS_A_SECOND)
    await harness.users.settle()


def _expire_tokens(harness: ChaosHarness) -> float:
    """Move both clocks past the lifetime of every token so far, and return the new time."""
    harness.sandbox.clock.advance(TOKEN_LIFETIME_S)
    harness.shift_clock(TOKEN_LIFETIME_S)
    return harness.sandbox.clock.now() - 1


def _refusals(harness: ChaosHarness) -> list[tuple[str, int]]:
    return sorted(harness.sandbox.limits.refusals.items())


def _histories(harness: ChaosHarness, recorder: EditRecorder) -> list[JobHistory]:
    events = defaultdict(list)
    for row in harness.rows(_EVENTS):
        events[row["job_id"]].append((State(row["to_state"]), float(row["at"])))
    seen = recorder.by_message()
    return [
        JobHistory(
            job_id=row["id"],
            channel_id=row["channel_id"],
            created_at=float(row["created_at"]),
            events=events[row["id"]],
            edits=seen[row["message_id"]],
        )
        for row in harness.rows(_PUBLIC)
    ]


def _by_token(histories: Sequence[JobHistory]) -> list[Figure]:
    lags_s = [lag_s for history in histories for lag_s in history.lags_s()]
    ends_s = [shown - since for history in histories for since, shown in [history.last_edit]]
    return [
        at_most(NAME, "by token, lag behind the job, max", max(lags_s), TOKEN_LAG_S, " s"),
        at_most(NAME, "by token, lag of the last edit, max", max(ends_s), TOKEN_LAG_S, " s"),
    ]


def _by_channel(histories: Sequence[JobHistory], expired_at: float) -> list[Figure]:
    """Check the edits after the tokens' expiry, all of which count against a channel's limit."""
    by_channel = defaultdict(list)
    for history in histories:
        by_channel[history.channel_id].append(history)
    wasted = [each for some in by_channel.values() for each in _before_an_end(some, expired_at)]
    last_s = [shown - expired_at for history in histories for _, shown in [history.last_edit]]
    most = max(map(len, by_channel.values()))
    needed_s = most * CHANNEL_EDIT_S
    return [
        at_most(NAME, "by channel, edits ahead of a waiting end", len(wasted), 0),
        at_most(
            NAME, f"by channel, {most} ends in each shown after", max(last_s), 1.5 * needed_s + 60
        ),
    ]


def _before_an_end(histories: Sequence[JobHistory], expired_at: float) -> Iterator[RecordedEdit]:
    """Return a channel's progress edits that were made while a finished job waited to be shown."""
    waits = [history.last_edit for history in histories]
    for edit in (each for history in histories for each in history.edits):
        is_by_channel = edit.at > expired_at + SLACK_S and edit.rank < OVER
        if is_by_channel and any(since + SLACK_S < edit.at < shown for since, shown in waits):
            yield edit
