"""Many jobs in few channels, under Discord's real limits: what is edited when, and by which way.

The first half of the replies outlive their tokens while they wait, so they are edited by channel,
or where they are private, replaced by direct messages; the second half come after that, and are
edited by token.
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
from tests.chaos.bot import PLACES
from tests.chaos.checks import broken_promises
from tests.chaos.edit_recorder import OVER, RANKS, EditRecorder, RecordedEdit
from tests.chaos.measurements import Figure, at_most, none_of, note
from tests.chaos.scenes.kills import unfinished
from tests.chaos.services import GO, Script
from tests.chaos.stage import Stage, stage

NAME = "channels"
CHANNELS = ("karaoke", "lounge", "stage", "bar", "terrace")
COMMANDS_A_SECOND = 20
PEOPLE = 50
PRIVATE_EVERY = 11
"""One song in so many is private; no multiple of the channels, so that each has some."""
LATENCY_S = 0.15
"""How long Discord takes for an edit."""
TOKEN_LAG_S = 10.0
CHANNEL_EDIT_S = 1.0
"""What Discord grants: five edits of a channel in five seconds."""
SLACK_S = 3.0
"""Events are noted in whole seconds, and stems are encoded before they are shown."""
_SETTINGS = {PLACES: "32", "STEMCORD_POLL_MIN_S": "0.5", "STEMCORD_POLL_MAX_S": "2"}
_MIX = (Script.PLAIN,) * 6 + (Script.SLOW,) * 3 + (Script.NOBODY,)
_ANSWERED = "SELECT count(*) FROM jobs WHERE acknowledged_at IS NOT NULL"
_PUBLIC = (
    "SELECT id, channel_id, message_id, created_at FROM jobs "
    "WHERE acknowledged_at IS NOT NULL AND context = 'guild'"
)
_EVENTS = "SELECT job_id, to_state, at FROM events ORDER BY id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One job: its events by its own book, and its message as it was seen."""

    job_id: str
    channel_id: int
    created_at: float
    events: Sequence[tuple[State, float]]
    sights: Sequence[RecordedEdit]

    def lags_s(self) -> Iterator[float]:
        """Return how long after each change of state the message showed it, or something later."""
        for state, at in self.events:
            rank = RANKS.get(state, OVER)
            seen = (sight.at for sight in self.sights if sight.rank >= rank)
            yield max(0.0, next(seen, float("inf")) - at)

    @property
    def last_edit(self) -> tuple[float, float]:
        """Return since when there was an end to show, and when it was shown."""
        ends = (at for state, at in self.events if RANKS.get(state, OVER) >= RANKS[State.READY])
        shown = (sight.at for sight in self.sights if sight.rank == OVER)
        return next(ends), next(shown, float("inf"))


async def channels(home: Path, *, seed: int, jobs: int) -> list[Figure]:
    """Send songs to all channels; let half of the tokens expire before anything is done."""
    random = Random(seed)
    async with stage(home / NAME, people=PEOPLE, settings=_SETTINGS) as here:
        _furnish(here)
        async with EditRecorder.at(here.sandbox) as recorder, here.life():
            await _send(here, [Script.UNTIL_TOLD] * (jobs // 2))
            turn = _outlive_tokens(here)
            (here.home / GO).touch()
            await _send(here, random.choices(_MIX, k=jobs - jobs // 2))
            is_drained = await here.drained(60 + jobs * CHANNEL_EDIT_S)
        stories, answered = _stories(here, recorder), here.rows(_ANSWERED)[0][0]
        return [
            note(NAME, "jobs, of them private", f"{answered}, {answered - len(stories)}"),
            note(NAME, "channels, edits in them", f"{len(CHANNELS)}, {len(recorder.sights)}"),
            at_most(NAME, "songs not answered in time", jobs - answered, 0),
            none_of(NAME, "limits met", [f"{k}: {n}" for k, n in _refusals(here)]),
            *_by_token([each for each in stories if each.created_at >= turn]),
            *_by_channel([each for each in stories if each.created_at < turn], turn),
            none_of(NAME, "broken promises", unfinished(is_drained) + broken_promises(here)),
        ]


def _furnish(here: Stage) -> None:
    """Open the channels, with Discord's limits in force and its edits as slow as they are."""
    world = here.sandbox.world
    guild_id = next(iter(world.guilds))
    for name in {*CHANNELS} - {channel.name for channel in world.channels.values()}:
        world.add_text_channel(guild_id, name)
    here.sandbox.limits.is_enabled = True
    here.sandbox.faults.add(Fault(route="PATCH *", delay_s=LATENCY_S))


async def _send(here: Stage, songs: Sequence[Script]) -> None:
    people = here.users.people
    for number, song in enumerate(songs):
        channel = CHANNELS[number % len(CHANNELS)]
        is_private = number % PRIVATE_EVERY == PRIVATE_EVERY - 1
        person = people[number % len(people)]
        here.users.soon(song, person, channel=channel, private=is_private)
        await asyncio.sleep(1 / COMMANDS_A_SECOND)
    await here.users.settle()


def _outlive_tokens(here: Stage) -> float:
    """Move both clocks past the life of every token so far; return what time it is then."""
    here.sandbox.clock.advance(TOKEN_LIFETIME_S)
    here.jump(TOKEN_LIFETIME_S)
    return here.sandbox.clock.now() - 1


def _refusals(here: Stage) -> list[tuple[str, int]]:
    return sorted(here.sandbox.limits.refusals.items())


def _stories(here: Stage, recorder: EditRecorder) -> list[Story]:
    events = defaultdict(list)
    for row in here.rows(_EVENTS):
        events[row["job_id"]].append((State(row["to_state"]), float(row["at"])))
    seen = recorder.by_message()
    return [
        Story(
            job_id=row["id"],
            channel_id=row["channel_id"],
            created_at=float(row["created_at"]),
            events=events[row["id"]],
            sights=seen[row["message_id"]],
        )
        for row in here.rows(_PUBLIC)
    ]


def _by_token(stories: Sequence[Story]) -> list[Figure]:
    lags_s = [lag_s for story in stories for lag_s in story.lags_s()]
    ends_s = [shown - since for story in stories for since, shown in [story.last_edit]]
    return [
        at_most(NAME, "by token, behind the job, max", max(lags_s), TOKEN_LAG_S, " s"),
        at_most(NAME, "by token, last edit, max", max(ends_s), TOKEN_LAG_S, " s"),
    ]


def _by_channel(stories: Sequence[Story], turn: float) -> list[Figure]:
    """Judge the edits since the turn, all of which count against their channels' limit."""
    by_channel = defaultdict(list)
    for story in stories:
        by_channel[story.channel_id].append(story)
    hurried = [each for some in by_channel.values() for each in _before_an_end(some, turn)]
    last_s = [shown - turn for story in stories for _, shown in [story.last_edit]]
    most = max(map(len, by_channel.values()))
    needed_s = most * CHANNEL_EDIT_S
    return [
        at_most(NAME, "by channel, edits before an end that waited", len(hurried), 0),
        at_most(
            NAME, f"by channel, {most} ends in each shown after", max(last_s), 1.5 * needed_s + 60
        ),
    ]


def _before_an_end(stories: Sequence[Story], turn: float) -> Iterator[RecordedEdit]:
    """Return what was shown in one channel while an end was there to be shown."""
    waits = [story.last_edit for story in stories]
    for sight in (each for story in stories for each in story.sights):
        is_by_channel = sight.at > turn + SLACK_S and sight.rank < OVER
        if is_by_channel and any(since + SLACK_S < sight.at < shown for since, shown in waits):
            yield sight
