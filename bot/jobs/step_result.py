"""What a step says about when the job wants its next one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Again:
    """Step again after so many seconds, or sooner if somebody wakes the job."""

    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """Step again only when somebody wakes the job."""


@dataclass(frozen=True, slots=True)
class Over:
    """The job is in a final state."""


Next = Again | Waiting | Over
