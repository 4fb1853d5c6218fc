"""Every error with which Discord may answer an edit, first one by one, then at random."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from bot.domain.job import State
from sandbox.faults import Fault
from tests.chaos.checks import broken_promises
from tests.chaos.harness import ChaosHarness, open_harness
from tests.chaos.measurements import Figure, none_of, note
from tests.chaos.scenes.kills import unfinished
from tests.chaos.services import Script

NAME = "refusals"
TOKEN, CHANNEL = "PATCH /webhooks/*", "PATCH /channels/*"
DIRECT, ANSWER = "POST /channels/*", "POST /interactions/*"
SONGS_A_SECOND = 3
ENDS_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The faults for one song's requests, and the expected final state."""

    name: str
    faults: Sequence[Fault]
    ends: State = State.DELIVERED
    refusals: int
    """The most requests that may be refused before the bot changes its approach."""

    @property
    def is_of_edits(self) -> bool:
        """Whether the faults affect edits and not the first answer."""
        return all(fault.route != ANSWER for fault in self.faults)

    def at_the_end(self) -> "Case":
        """Return the same case for the edit that delivers the stems."""
        faults = [
            replace(fault, with_files=fault.route.startswith("PATCH")) for fault in self.faults
        ]
        return replace(self, name=f"{self.name}, on the edit with the stems", faults=faults)


def _dead_token() -> Fault:
    return Fault(route=TOKEN, status=401, code=50027)


_AT_THE_START = (
    Case(name="429", faults=[Fault(route=TOKEN, status=429, times=3)], refusals=3),
    Case(name="500", faults=[Fault(route=TOKEN, status=500, times=3)], refusals=3),
    Case(name="502", faults=[Fault(route=TOKEN, status=502, times=3)], refusals=3),
    Case(name="503", faults=[Fault(route=TOKEN, status=503, times=3)], refusals=3),
    Case(name="reset", faults=[Fault(route=TOKEN, reset=True, times=3)], refusals=3),
    Case(
        name="reset after it took effect",
        faults=[Fault(route=TOKEN, reset=True, after=True, times=3)],
        refusals=3,
    ),
    Case(name="401/50027", faults=[_dead_token()], refusals=1),
    Case(name="403", faults=[Fault(route=TOKEN, status=403, code=50013)], refusals=1),
    Case(
        name="404, twice to be sure",
        faults=[Fault(route=TOKEN, status=404, code=10015)],
        refusals=2,
    ),
    Case(
        name="401 and 403, direct messages taken",
        faults=[_dead_token(), Fault(route=CHANNEL, status=403, code=50001)],
        refusals=2,
    ),
    Case(
        name="401 and 403, direct messages refused",
        faults=[
            _dead_token(),
            Fault(route=CHANNEL, status=403, code=50001),
            Fault(route=DIRECT, status=403, code=50007),
        ],
        ends=State.KEPT,
        refusals=3,
    ),
    Case(
        name="401 and 404, direct messages refused",
        faults=[
            _dead_token(),
            Fault(route=CHANNEL, status=404, code=10008),
            Fault(route=DIRECT, status=403, code=50007),
        ],
        ends=State.KEPT,
        refusals=3,
    ),
    Case(
        name="401 and 30046",
        faults=[_dead_token(), Fault(route=CHANNEL, status=429, code=30046, times=2)],
        refusals=3,
    ),
    Case(
        name="10062 to the answer",
        faults=[Fault(route=ANSWER, status=404, code=10062)],
        ends=State.CANCELLED,
        refusals=1,
    ),
    Case(
        name="40060 to the answer, which is another process's",
        faults=[Fault(route=ANSWER, status=400, code=40060)],
        ends=State.CANCELLED,
        refusals=1,
    ),
)
_TOO_LARGE = Case(
    name="40005 to the stems",
    faults=[Fault(route=TOKEN, code=40005, with_files=True, times=1)],
    refusals=1,
)
_TOO_LARGE_CARD = Case(
    name="40005 to a card", faults=[Fault(route=TOKEN, code=40005, times=3)], refusals=3
)
CASES = (
    *_AT_THE_START,
    *(case.at_the_end() for case in _AT_THE_START if case.is_of_edits),
    _TOO_LARGE,
    _TOO_LARGE_CARD,
)
_AT_RANDOM = (
    *(Fault(route=TOKEN, status=status) for status in (429, 500, 502, 503)),
    *(Fault(route=CHANNEL, status=status) for status in (429, 500, 502, 503)),
    *(Fault(route=route, reset=True) for route in (TOKEN, CHANNEL, ANSWER)),
    *(Fault(route=route, reset=True, after=True) for route in (TOKEN, CHANNEL, ANSWER)),
    *(Fault(route=route, delay_s=1.0) for route in (TOKEN, CHANNEL, ANSWER)),
    _dead_token(),
    Fault(route=TOKEN, status=403, code=50013),
    Fault(route=TOKEN, status=404, code=10015),
    Fault(route=CHANNEL, status=403, code=50001),
    Fault(route=CHANNEL, status=404, code=10008),
    Fault(route=CHANNEL, status=429, code=30046),
    Fault(route=TOKEN, code=40005, with_files=True),
    *(Fault(route=route, code=40005) for route in (TOKEN, CHANNEL)),
    Fault(route=DIRECT, status=403, code=50007),
    Fault(route=DIRECT, reset=True),
    Fault(route=ANSWER, status=404, code=10062),
    Fault(route=ANSWER, status=400, code=40060),
    Fault(route=ANSWER, status=500),
)


async def one_by_one(home: Path, *, cases: Sequence[Case] = CASES) -> list[Figure]:
    """Send one song for each case."""
    async with open_harness(home / "one-by-one") as harness:
        async with harness.running_bot():
            wrong = [said for case in cases for said in await _try(harness, case)]
        return [
            note(NAME, "errors to an edit, one by one", f"{len(cases)}"),
            none_of(NAME, "wrong end, or more requests than needed", wrong),
        ]


async def at_random(home: Path, *, seed: int, seconds: float) -> list[Figure]:
    """Send songs and add a random fault before each."""
    random = Random(seed)
    ordered = 0
    async with open_harness(home / "at-random", people=10) as harness:
        async with harness.running_bot():
            for _ in range(int(seconds * SONGS_A_SECOND)):
                fault = replace(random.choice(_AT_RANDOM), times=random.randint(1, 3))
                harness.sandbox.faults.add(fault)
                ordered += fault.times or 0
                harness.users.split_soon(random.choice(_SONGS), random.choice(harness.users.people))
                await asyncio.sleep(1 / SONGS_A_SECOND)
            harness.sandbox.faults.clear()
            await harness.users.settle()
            is_drained = await harness.drained(120)
        return [
            note(NAME, "faults at random", f"{ordered}"),
            none_of(NAME, "broken promises", unfinished(is_drained) + broken_promises(harness)),
        ]


_SONGS = (Script.PLAIN, Script.PLAIN, Script.REFUSED, Script.NOBODY, Script.FAILS)


async def _try(harness: ChaosHarness, case: Case) -> list[str]:
    asked_before = len(harness.sandbox.log.entries())
    for fault in case.faults:
        harness.sandbox.faults.add(replace(fault))
    await harness.users.split(Script.PLAIN, harness.users.people[0])
    is_drained = await harness.drained(ENDS_WITHIN_S)
    harness.sandbox.faults.clear()
    rows = harness.rows("SELECT state FROM jobs ORDER BY rowid DESC LIMIT 1")
    state = rows[0]["state"] if rows else None
    refused = [
        entry
        for entry in harness.sandbox.log.entries()[asked_before:]
        if entry["status"] is None or entry["status"] >= 400
    ]
    wrong = []
    if not is_drained or state != case.ends:
        wrong.append(f"{case.name}: {state}")
    if len(refused) > case.refusals:
        wrong.append(f"{case.name}: refused {len(refused)} times, not {case.refusals}")
    return wrong
