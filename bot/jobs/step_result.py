"""What a step says about when the job wants its next one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """Step again after so many seconds, or sooner if somebody wakes the job."""

    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class AwaitWake:
    """Step again only when somebody wakes the job."""


@dataclass(frozen=True, slots=True)
class Done:
    """The job is in a final state."""


StepResult = RetryAfter | AwaitWake | Done
