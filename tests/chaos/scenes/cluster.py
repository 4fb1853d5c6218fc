"""Bots and workers on one database, whose processes, server, store and networks fail at random."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

from sandbox.song import write_song
from storage.database.opening import PostgresUrl
from storage.upkeep.invariants import Terms, audit
from tests.chaos.checks import (
    answered_without_a_job,
    charged_otherwise,
    jobs_by_interaction,
    shown_otherwise,
)
from tests.chaos.cluster_harness import ClusterHarness, Node, open_cluster
from tests.chaos.leftovers import secrets_in
from tests.chaos.measurements import Figure, at_most, exactly, none_of, note, some
from tests.chaos.scenes.kills import unfinished

NAME = "cluster"
KEEP = timedelta(hours=24)
SONG_S = 2.0
WORK_S = 1.0
"""The time that a worker takes for a song."""
CHANNELS: Final = ("karaoke", "stage-1")
"""A channel of each shard."""
TAKEOVER_S: Final = 10.0
VANISHED_TAKEOVER_S: Final = 30.0
STOP_GRACE_S: Final = 8.0
LIMITS: Final = {
    "kill": TAKEOVER_S,
    "stop": STOP_GRACE_S + TAKEOVER_S,
    "freeze": VANISHED_TAKEOVER_S,
    "silence": VANISHED_TAKEOVER_S,
}
"""The longest takeover in seconds, by what happened to the bot."""
ANSWER_WITHIN_S: Final = 60.0
DRAINED_WITHIN_S: Final = 240.0
TIDY_WITHIN_S: Final = 90.0
"""Twice a minute, bots delete separations that no job needs."""
RESTARTED_AFTER_S: Final = (0.5, 3.0)
_INTERACTIONS = "SELECT interaction_id FROM jobs"
_SENT = "SELECT count(*) AS n FROM attempts WHERE provider = ?"
_STATES = "SELECT state, count(*) AS n FROM jobs GROUP BY state ORDER BY state"
_NO_SEPARATIONS = "SELECT count(*) AS n FROM separations HAVING count(*) = 0"
_WORKED = """
SELECT job_id, count(*) AS n FROM attempts
WHERE provider = 'workers' AND state = 'done' GROUP BY job_id HAVING count(*) > 1
"""


@dataclass(slots=True)
class Tally:
    """What has failed so far, and how long the takeovers took."""

    failures: Counter[str] = field(default_factory=Counter)
    takeovers: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """The duration of each in seconds, by what happened to the bot."""
    missing: list[str] = field(default_factory=list)
    """Groups that no standby took over in time."""


@dataclass(frozen=True, slots=True)
class Chaos:
    """Everything that can fail, each for `away_s` at most."""

    harness: ClusterHarness
    random: Random
    away_s: float
    tally: Tally

    def all(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """Return all failures."""
        cut_off = () if self.harness.hole is None else (self.cut_worker_off,)
        return (
            *cut_off,
            self.kill_worker,
            self.stop_worker,
            self.freeze_worker,
            self.silence_worker,
            self.kill_bot,
            self.stop_bot,
            self.freeze_bot,
            self.silence_bot,
            self.restart_database,
            self.crash_database,
            self.lose_store,
        )

    async def kill_worker(self) -> None:
        """Kill a worker, and start it again."""
        node = self.random.choice(self.harness.workers)
        await node.program.kill()
        await self._restart(node)

    async def stop_worker(self) -> None:
        """Stop a worker as a service manager does, and start it again."""
        node = self.random.choice(self.harness.workers)
        await node.program.stop()
        await self._restart(node)

    async def freeze_worker(self) -> None:
        """Suspend a worker for a while."""
        node = self.random.choice(self.harness.workers)
        node.freeze()
        await self._wait()
        node.thaw()

    async def silence_worker(self) -> None:
        """Silence a worker's network for a while."""
        node = self.random.choice(self.harness.workers)
        node.network.go_silent()
        await self._wait()
        node.network.heal()

    async def cut_worker_off(self) -> None:
        """Let the packets of a worker's machine vanish for a while."""
        [node] = [each for each in self.harness.workers if each.network is self.harness.hole]
        node.network.go_silent()
        await self._wait()
        node.network.heal()

    async def kill_bot(self) -> None:
        """Kill a bot while it serves, and start it again as the standby."""
        await self._end_bot("kill", lambda node: node.program.kill())

    async def stop_bot(self) -> None:
        """Stop a bot while it serves, and start it again as the standby."""
        await self._end_bot("stop", lambda node: node.program.stop())

    async def freeze_bot(self) -> None:
        """Suspend a bot while it serves, until its standby has taken over."""
        node = await self._a_serving_bot()
        node.freeze()
        await self._lose("freeze", node)
        node.thaw()

    async def silence_bot(self) -> None:
        """Silence a serving bot's network until its standby has taken over."""
        node = await self._a_serving_bot()
        node.network.go_silent()
        await self._lose("silence", node)
        node.network.heal()

    async def restart_database(self) -> None:
        """Restart PostgreSQL as an upgrade does."""
        await asyncio.to_thread(self.harness.server.stop, "fast")
        await asyncio.to_thread(self.harness.server.start)

    async def crash_database(self) -> None:
        """Let PostgreSQL crash, and start it after a while."""
        await asyncio.to_thread(self.harness.server.stop, "immediate")
        await self._wait()
        await asyncio.to_thread(self.harness.server.start)

    async def lose_store(self) -> None:
        """Make the object store unavailable for a while."""
        away = self.harness.store.with_name("store-away")
        self.harness.store.rename(away)
        await self._wait()
        away.rename(self.harness.store)

    async def _end_bot(self, how: str, end: Callable[[Node], Awaitable[object]]) -> None:
        node = await self._a_serving_bot()
        ending = asyncio.ensure_future(end(node))
        await self._lose(how, node)
        await ending
        await self._restart(node)

    async def _lose(self, how: str, node: Node) -> None:
        """Wait until another bot serves the node's shard, and note how long it took."""
        took_s = await self.harness.taken_over(
            node.shard or 0, but=node, within_s=2 * VANISHED_TAKEOVER_S
        )
        if took_s is None:
            self.tally.missing.append(node.name)
        else:
            self.tally.takeovers[how].append(took_s)

    async def _a_serving_bot(self) -> Node:
        """Return a bot with a standby that is ready."""
        shard = self.random.choice(range(len(CHANNELS)))
        while True:
            states = {
                node.name: await self.harness.state(node)
                for node in self.harness.bots
                if node.shard == shard
            }
            if sorted(states.values()) == ["serving", "standby"]:
                name = next(name for name, state in states.items() if state == "serving")
                return self.harness.nodes[name]
            await asyncio.sleep(0.2)

    async def _restart(self, node: Node) -> None:
        await asyncio.sleep(self.random.uniform(*RESTARTED_AFTER_S))
        await node.program.start()

    async def _wait(self) -> None:
        await asyncio.sleep(self.random.uniform(0.3, 1) * self.away_s)


async def cluster(
    home: Path,
    *,
    seed: int,
    failures: int,
    away_s: float,
    song_every_s: float,
    with_hole: bool = False,
) -> list[Figure]:
    """Let one thing after another fail while users send songs, then check everything.

    `with_hole` adds a worker in a network namespace, where that is allowed.
    """
    random, tally = Random(seed), Tally()
    song = await asyncio.to_thread(write_song, home / "plain.wav", seconds=SONG_S)
    async with open_cluster(
        home / NAME, people=10, answer_within_s=ANSWER_WITHIN_S, with_hole=with_hole
    ) as harness:
        harness.users.add_song(song)
        for name, shards in (
            ("bot-0a", "0/2"),
            ("bot-0b", "0/2"),
            ("bot-1a", "1/2"),
            ("bot-1b", "1/2"),
        ):
            await harness.start_bot(name, shards)
        for name in ("worker-a", "worker-b"):
            await harness.start_worker(name, seconds=WORK_S)
        if harness.hole is not None:
            await harness.start_worker_in(harness.hole, "worker-c", seconds=WORK_S)
        if not await harness.all_ready():
            return [none_of(NAME, "processes that never start", _not_ready(harness))]
        sending = asyncio.create_task(_send(harness, Random(seed), song_every_s))
        chaos = Chaos(harness, random, away_s, tally)
        await _let_fail(chaos, failures)
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending
        is_ready = await harness.all_ready()
        await harness.users.settle()
        is_drained = await harness.drained(DRAINED_WITHIN_S)
        is_tidy = await harness.finds(_NO_SEPARATIONS, within_s=TIDY_WITHIN_S)
        return [
            *_figures(harness, tally, failures),
            exactly(NAME, "clusters that are whole again", int(is_ready), 1),
            exactly(NAME, "clusters without separations left", int(is_tidy), 1),
            none_of(NAME, "broken promises", unfinished(is_drained) + _broken(harness)),
        ]


async def _send(harness: ClusterHarness, random: Random, every_s: float) -> None:
    while True:
        harness.users.split_soon(
            "plain",
            random.choice(harness.users.people),
            channel=random.choice(CHANNELS),
            provider=random.choice(("workers", "workers", "finevoice")),
        )
        await asyncio.sleep(random.uniform(0.5, 1.5) * every_s)


async def _let_fail(chaos: Chaos, failures: int) -> None:
    """Let everything fail about equally often, in random order."""
    left: list[Callable[[], Awaitable[None]]] = []
    for _ in range(failures):
        if not left:
            left = chaos.random.sample(chaos.all(), len(chaos.all()))
        fail = left.pop()
        chaos.tally.failures[getattr(fail, "__name__", "")] += 1
        await fail()
        await asyncio.sleep(chaos.random.uniform(0.5, 2.0))


def _not_ready(harness: ClusterHarness) -> list[str]:
    return [
        f"{node.name}: {node.log.read_text()[-300:]}"
        for node in harness.nodes.values()
        if "ready" not in node.log.read_text() and "standing by" not in node.log.read_text()
    ]


def _figures(harness: ClusterHarness, tally: Tally, failures: int) -> list[Figure]:
    answers = [each for each in harness.users.answers if each.name == "split"]
    answered = [each for each in answers if each.message_id is not None]
    states = ", ".join(f"{row['n']} {row['state']}" for row in harness.rows(_STATES))
    kinds = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in sorted(tally.failures.items()))
    return [
        exactly(NAME, "failures", sum(tally.failures.values()), failures),
        note(NAME, "of these kinds", kinds),
        some(NAME, "songs answered", len(answered)),
        note(NAME, "songs sent", f"{len(answers)}"),
        note(NAME, "their jobs", states),
        none_of(NAME, "groups without a bot", tally.missing),
        *(
            replace(
                at_most(NAME, f"takeover after a {how}, max", max(times), LIMITS[how], " s"),
                measured=f"{max(times):.1f} s of {len(times)}, median {median(times):.1f} s",
            )
            for how, times in sorted(tally.takeovers.items())
        ),
    ]


def _broken(harness: ClusterHarness) -> list[str]:
    jobs = jobs_by_interaction(harness)
    terms = Terms(now=datetime.now(UTC), keep=KEEP, drained=True)
    # An object's key is the path that its file has in a data directory.
    findings = audit(PostgresUrl(harness.url), harness.store / "jobs", terms)
    interactions = Counter(row["interaction_id"] for row in harness.rows(_INTERACTIONS))
    vendor = harness.sandbox.vendors.finevoice
    [sent] = harness.rows(_SENT, vendor.name)
    return [
        *(str(each) for each in findings if not each.is_good),
        *(f"{each} has two jobs" for each, n in interactions.items() if n > 1),
        *(f"{row['job_id']} was separated {row['n']} times" for row in harness.rows(_WORKED)),
        *(
            [f"{vendor.submits} submits, {sent['n']} attempts"]
            if vendor.submits > sent["n"]
            else []
        ),
        *charged_otherwise(harness),
        *answered_without_a_job(harness, jobs),
        *shown_otherwise(harness, jobs),
        *(
            f"{node.name}: {found}"
            for node in harness.nodes.values()
            for found in secrets_in(node.log, harness.sandbox)
        ),
    ]
