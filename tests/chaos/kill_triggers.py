"""Triggers that lead a bot to each of its commits, so that it can be killed there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.domain.job import State
from sandbox.faults import Fault
from tests.chaos.bot import CONCURRENCY
from tests.chaos.services import FIRST, Script


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A song that leads to a commit, and further conditions."""

    song: Script
    provider: str | None = None
    songs: int | None = None
    """The number of copies; None for one per pass of the kill point."""
    cancelled_in: State | None = None
    """The state in which the user cancels the job."""
    faults: Sequence[Fault] = ()
    settings: Mapping[str, str] = field(default_factory=dict)


_UNACKNOWLEDGED = (Fault(route="POST /interactions/*", status=404, code=10062, times=2),)
_REPLY_UNREACHABLE = (
    Fault(route="PATCH /webhooks/*", status=401, code=50027),
    Fault(route="PATCH /channels/*", status=403, code=50001),
    Fault(route="POST /channels/*", status=403, code=50007),
)

TRIGGERS: Mapping[str, Trigger] = {
    "new": Trigger(song=Script.PLAIN),
    "received>received": Trigger(song=Script.PLAIN),
    "received>held": Trigger(song=Script.PLAIN),
    "received>ready": Trigger(song=Script.AGAIN),
    "received>failed": Trigger(song=Script.BROKEN),
    "received>cancelled": Trigger(song=Script.PLAIN, faults=_UNACKNOWLEDGED),
    "held>submitting": Trigger(song=Script.PLAIN),
    "held>failed": Trigger(
        song=Script.PLAIN, provider=FIRST, settings={"STEMCORD_DAILY_SPEND_MINUTES": "1"}
    ),
    "held>cancelled": Trigger(
        song=Script.ENDLESS,
        provider=FIRST,
        songs=2,
        cancelled_in=State.HELD,
        settings={CONCURRENCY: "1"},
    ),
    "submitting>processing": Trigger(song=Script.AT_ONCE),
    "submitting>submitting": Trigger(song=Script.REFUSED),
    "submitting>failed": Trigger(song=Script.NOBODY),
    "submitting>cancelled": Trigger(song=Script.LATE, songs=1, cancelled_in=State.SUBMITTING),
    "record>refused": Trigger(song=Script.REFUSED),
    "record>not_sent": Trigger(song=Script.DOWN),
    "record>uncertain": Trigger(song=Script.UNCERTAIN),
    "record>done": Trigger(song=Script.PLAIN),
    "record>accepted": Trigger(song=Script.LATE, songs=1, cancelled_in=State.SUBMITTING),
    "record>abandoned": Trigger(song=Script.ENDLESS, songs=1, cancelled_in=State.PROCESSING),
    "processing>submitting": Trigger(song=Script.FAILS),
    "processing>failed": Trigger(song=Script.BUG),
    "processing>cancelled": Trigger(song=Script.ENDLESS, songs=1, cancelled_in=State.PROCESSING),
    "processing>ready": Trigger(song=Script.PLAIN),
    "ready>delivered": Trigger(song=Script.PLAIN),
    "ready>failed": Trigger(song=Script.HOLLOW),
    "ready>kept": Trigger(song=Script.PLAIN, faults=_REPLY_UNREACHABLE),
    "shown": Trigger(song=Script.SLOW),
}
"""A trigger for every transition and other write, by its name in `KillableJobStore`.
"""
