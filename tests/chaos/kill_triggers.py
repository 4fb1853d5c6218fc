"""What brings a bot to each of its commits, so that it can be told to die there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.domain.job import State
from sandbox.faults import Fault
from tests.chaos.bot import PLACES
from tests.chaos.services import FIRST, Script


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """The song that leads there, and what else it takes."""

    song: Script
    provider: str | None = None
    songs: int | None = None
    """How many of it; None for as many as there are to be passes."""
    cancelled_in: State | None = None
    """Where its user cancels it."""
    faults: Sequence[Fault] = ()
    settings: Mapping[str, str] = field(default_factory=dict)


_UNSEEN = (Fault(route="POST /interactions/*", status=404, code=10062, times=2),)
_NO_WAY_TO_THE_REPLY = (
    Fault(route="PATCH /webhooks/*", status=401, code=50027),
    Fault(route="PATCH /channels/*", status=403, code=50001),
    Fault(route="POST /channels/*", status=403, code=50007),
)

WAYS: Mapping[str, Way] = {
    "new": Way(song=Script.PLAIN),
    "received>received": Way(song=Script.PLAIN),
    "received>held": Way(song=Script.PLAIN),
    "received>ready": Way(song=Script.AGAIN),
    "received>failed": Way(song=Script.BROKEN),
    "received>cancelled": Way(song=Script.PLAIN, faults=_UNSEEN),
    "held>submitting": Way(song=Script.PLAIN),
    "held>failed": Way(
        song=Script.PLAIN, provider=FIRST, settings={"STEMCORD_DAILY_SPEND_MINUTES": "1"}
    ),
    "held>cancelled": Way(
        song=Script.ENDLESS,
        provider=FIRST,
        songs=2,
        cancelled_in=State.HELD,
        settings={PLACES: "1"},
    ),
    "submitting>processing": Way(song=Script.AT_ONCE),
    "submitting>submitting": Way(song=Script.REFUSED),
    "submitting>failed": Way(song=Script.NOBODY),
    "submitting>cancelled": Way(song=Script.LATE, songs=1, cancelled_in=State.SUBMITTING),
    "record>refused": Way(song=Script.REFUSED),
    "record>not_sent": Way(song=Script.DOWN),
    "record>uncertain": Way(song=Script.UNCERTAIN),
    "record>done": Way(song=Script.PLAIN),
    "record>accepted": Way(song=Script.LATE, songs=1, cancelled_in=State.SUBMITTING),
    "record>abandoned": Way(song=Script.ENDLESS, songs=1, cancelled_in=State.PROCESSING),
    "processing>submitting": Way(song=Script.FAILS),
    "processing>failed": Way(song=Script.BUG),
    "processing>cancelled": Way(song=Script.ENDLESS, songs=1, cancelled_in=State.PROCESSING),
    "processing>ready": Way(song=Script.PLAIN),
    "ready>delivered": Way(song=Script.PLAIN),
    "ready>failed": Way(song=Script.HOLLOW),
    "ready>kept": Way(song=Script.PLAIN, faults=_NO_WAY_TO_THE_REPLY),
    "shown": Way(song=Script.SLOW),
}
"""Every transition of a job, and the writes beside them, by the names that `MortalJobs` gives."""
