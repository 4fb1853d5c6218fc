"""The line in front of each provider: fair, in memory, one place a job.

Everyone's first song comes before anyone's second. A turn that was taken counts for as long as
its user has songs here, and who comes anew starts with the turn that is served now.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from bot.domain.job import Job, JobId, UserId


class PositionListener(Protocol):
    """Whoever wants to know that waiting jobs have moved."""

    def __call__(self, provider: str, inside: Sequence[Job], waiting: Sequence[Job]) -> None:
        """Take note of everyone at a provider, those who wait in their order."""


class ProviderQueue:
    """Who is at a provider and who waits for it."""

    def __init__(
        self,
        *,
        places: Mapping[str, int],
        on_turn: Callable[[JobId], None],
        on_shift: PositionListener,
    ) -> None:
        """Take each provider's number of places and whom to tell.

        `on_turn` is for the few jobs that may enter, `on_shift` for all that have moved: a step
        of every waiting job for each place that becomes free would be too much in a long line.
        """
        self._places = dict(places)
        self._on_turn = on_turn
        self._on_shift = on_shift
        self._inside: dict[str, dict[JobId, Job]] = {name: {} for name in places}
        self._waiting: dict[str, dict[JobId, Job]] = {name: {} for name in places}
        self._taken: dict[str, dict[UserId, int]] = {name: {} for name in places}
        self._served: dict[str, int] = dict.fromkeys(places, 0)

    def acquire(self, provider: str, job: Job) -> int | None:
        """Take a place at `provider`, or stand in line: return how many jobs come first.

        None means that the place is taken. Standing in line at one provider leaves every other.
        """
        if job.id in self._inside[provider]:
            return None
        self._leave_others(provider, job.id)
        inside, waiting = self._inside[provider], self._waiting[provider]
        is_new = job.id not in waiting
        waiting[job.id] = job
        order = self._order(provider)
        index = order.index(job.id)
        if index < self._places[provider] - len(inside):
            self._take(provider, job)
            return None
        if is_new and index + 1 < len(order):
            self._shifted(provider, order)
        return index + len(inside)

    def enqueue(self, provider: str, job: Job) -> int:
        """Stand in line without taking a place, as while the provider rests: return who is ahead.

        Standing in line at one provider leaves every other.
        """
        self._leave_others(provider, job.id)
        if self._inside[provider].pop(job.id, None) is not None:
            self._taken[provider][job.request.user_id] -= 1
        self._waiting[provider][job.id] = job
        return self._order(provider).index(job.id) + len(self._inside[provider])

    def restore(self, provider: str, job: Job) -> None:
        """Count a job that the provider already works on, as after a restart."""
        if provider in self._inside and job.id not in self._inside[provider]:
            self._leave_others(provider, job.id)
            self._take(provider, job)

    def release(self, job_id: JobId) -> None:
        """Give up a job's place, inside or waiting, and tell those whom that concerns."""
        self._leave_others(None, job_id)

    def ahead(self, job_id: JobId) -> list[Job]:
        """Return the jobs that come before a waiting one: those inside, then those in front."""
        for provider, waiting in self._waiting.items():
            if job_id in waiting:
                order = self._order(provider)
                front = [waiting[each] for each in order[: order.index(job_id)]]
                return [*self._inside[provider].values(), *front]
        return []

    def counts(self) -> dict[tuple[str, ...], int]:
        """Return how many jobs are `inside` each provider and how many are `waiting` for it."""
        places = {"inside": self._inside, "waiting": self._waiting}
        return {
            (provider, place): len(there[provider])
            for place, there in places.items()
            for provider in self._places
        }

    def _order(self, provider: str) -> list[JobId]:
        """Return the waiting jobs by turn, and equal turns by age."""
        turns: dict[JobId, int] = {}
        following: dict[UserId, int] = {}
        by_age = sorted(self._waiting[provider].values(), key=_age)
        for job in by_age:
            user_id = job.request.user_id
            turns[job.id] = following.get(user_id, self._next_turn(provider, user_id))
            following[user_id] = turns[job.id] + 1
        return sorted(turns, key=lambda job_id: turns[job_id])

    def _next_turn(self, provider: str, user_id: UserId) -> int:
        served = self._served[provider]
        return max(served, self._taken[provider].get(user_id, served - 1) + 1)

    def _take(self, provider: str, job: Job) -> None:
        turn = self._next_turn(provider, job.request.user_id)
        self._taken[provider][job.request.user_id] = turn
        self._served[provider] = max(self._served[provider], turn)
        self._waiting[provider].pop(job.id, None)
        self._inside[provider][job.id] = job

    def _leave_others(self, provider: str | None, job_id: JobId) -> None:
        for other in self._places:
            if other != provider and self._remove(other, job_id):
                order = self._order(other)
                self._shifted(other, order)
                free = self._places[other] - len(self._inside[other])
                for first in order[: max(0, free)]:
                    self._on_turn(first)

    def _shifted(self, provider: str, order: Sequence[JobId]) -> None:
        waiting = self._waiting[provider]
        inside = tuple(self._inside[provider].values())
        self._on_shift(provider, inside, [waiting[job_id] for job_id in order])

    def _remove(self, provider: str, job_id: JobId) -> bool:
        inside, waiting = self._inside[provider], self._waiting[provider]
        job = inside.pop(job_id, None) or waiting.pop(job_id, None)
        if job is None:
            return False
        user_id = job.request.user_id
        here = (*inside.values(), *waiting.values())
        if all(other.request.user_id != user_id for other in here):
            self._taken[provider].pop(user_id, None)
        return True


def _age(job: Job) -> tuple[datetime, int]:
    """Order jobs by their requests: stored times are whole seconds, interaction ids are not."""
    return job.created_at, job.interaction_id
