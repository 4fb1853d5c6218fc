"""Fair in-memory queues for the providers; each job has at most one place.

Every user's first song comes before any user's second. A turn counts as long as its user has songs
at the provider; a new user starts at the turn that is being served.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from bot.domain.job import Job, JobId, UserId


class PositionListener(Protocol):
    """Receives the jobs at a provider when waiting jobs have moved."""

    def __call__(self, provider: str, inside: Sequence[Job], waiting: Sequence[Job]) -> None:
        """Handle the jobs that occupy a place and those that wait, both in order."""


class ProviderQueue:
    """Tracks which jobs are at a provider and which wait for it.

    A place belongs to an attempt, so it remains taken while a provider still works on a cancelled
    job.
    """

    def __init__(
        self,
        *,
        places: Mapping[str, int],
        on_turn: Callable[[JobId], None],
        on_shift: PositionListener,
    ) -> None:
        """`places` is the number of simultaneous jobs of each provider.

        `on_turn` is called for each of the few jobs that may enter, and `on_shift` once with all
        that have moved: taking a step of every waiting job would be too expensive in a long queue.
        """
        self._places = dict(places)
        self._on_turn = on_turn
        self._on_shift = on_shift
        self._inside: dict[str, dict[JobId, Job]] = {name: {} for name in places}
        self._outlived: dict[str, dict[JobId, Job]] = {name: {} for name in places}
        self._waiting: dict[str, dict[JobId, Job]] = {name: {} for name in places}
        self._taken: dict[str, dict[UserId, int]] = {name: {} for name in places}
        self._served: dict[str, int] = dict.fromkeys(places, 0)
        self._on_leave: Callable[[str, JobId], None] = lambda _provider, _job_id: None

    def on_leave(self, tell: Callable[[str, JobId], None]) -> None:
        """Call `tell` from now on whenever a job gives up its place."""
        self._on_leave = tell

    def acquire(self, provider: str, job: Job) -> int | None:
        """Take a place at `provider`, or wait for one; return how many jobs are ahead.

        Returns None if the job has the place. The job leaves all other queues.
        """
        if job.id in self._inside[provider]:
            return None
        self._leave_others(provider, job.id)
        waiting = self._waiting[provider]
        is_new = job.id not in waiting
        waiting[job.id] = job
        order = self._order(provider)
        index = order.index(job.id)
        if index < self._free_places(provider):
            self._take(provider, job)
            return None
        if is_new and index + 1 < len(order):
            self._shifted(provider, order)
        return index + len(self._occupants(provider))

    def enqueue(self, provider: str, job: Job) -> int:
        """Wait without taking a place, as during a cooldown; return how many jobs are ahead.

        The job leaves all other queues.
        """
        self._leave_others(provider, job.id)
        if self._inside[provider].pop(job.id, None) is not None:
            self._taken[provider][job.request.user_id] -= 1
            self._on_leave(provider, job.id)
        is_new = job.id not in self._waiting[provider]
        self._waiting[provider][job.id] = job
        order = self._order(provider)
        index = order.index(job.id)
        if is_new and index + 1 < len(order):
            self._shifted(provider, order)
        return index + len(self._occupants(provider))

    def restore(self, provider: str, job: Job) -> None:
        """Record a job that the provider already works on, as after a restart."""
        if provider in self._inside and job.id not in self._inside[provider]:
            self._leave_others(provider, job.id)
            self._take(provider, job)

    def release(self, job_id: JobId) -> None:
        """Remove a job from every queue and notify the jobs that move up."""
        self._leave_others(None, job_id)

    def outlive(self, provider: str, job: Job) -> None:
        """Keep the place of an attempt that continues after its job has ended."""
        if provider in self._outlived:
            self._inside[provider].pop(job.id, None)
            self._outlived[provider][job.id] = job

    def free(self, provider: str, job_id: JobId) -> None:
        """Free the place of an attempt that outlived its job; safe to repeat."""
        job = self._outlived.get(provider, {}).pop(job_id, None)
        if job is not None:
            self._on_leave(provider, job_id)
            self._left(provider, job)

    def first(self, provider: str) -> JobId | None:
        """Return the waiting job that is next."""
        order = self._order(provider)
        return order[0] if order else None

    def call_first(self, provider: str) -> None:
        """Let the waiting job that is next try to enter."""
        if (job_id := self.first(provider)) is not None:
            self._on_turn(job_id)

    def occupied(self) -> list[tuple[str, JobId]]:
        """Return every job at a provider, with the provider."""
        return [
            (provider, job.id) for provider in self._places for job in self._occupants(provider)
        ]

    def ahead(self, job_id: JobId) -> list[Job]:
        """Return the jobs ahead of a waiting one: those at the provider, then those in the
        queue.
        """
        for provider, waiting in self._waiting.items():
            if job_id in waiting:
                order = self._order(provider)
                front = [waiting[each] for each in order[: order.index(job_id)]]
                return [*self._occupants(provider), *front]
        return []

    def turn_of(self, provider: str, job: Job) -> int:
        """Return the turn of the user's latest song at a provider; 0 if there is none."""
        return self._taken[provider].get(job.request.user_id, 0)

    def set_places(self, provider: str, places: int, *, highest_turn: int) -> None:
        """Change the number of simultaneous jobs, and let the next jobs in.

        Turns continue from `highest_turn`, which may be that of another bot's song.
        """
        self._served[provider] = max(self._served[provider], highest_turn)
        is_more = places > self._places[provider]
        self._places[provider] = places
        if is_more:
            for first in self._order(provider)[: self._free_places(provider)]:
                self._on_turn(first)

    def counts(self) -> dict[tuple[str, ...], int]:
        """Return the number of jobs for each pair of provider and `inside` or `waiting`."""
        counts: dict[tuple[str, ...], int] = {}
        for provider in self._places:
            counts[provider, "inside"] = len(self._occupants(provider))
            counts[provider, "waiting"] = len(self._waiting[provider])
        return counts

    def _occupants(self, provider: str) -> list[Job]:
        return [*self._inside[provider].values(), *self._outlived[provider].values()]

    def _free_places(self, provider: str) -> int:
        return max(0, self._places[provider] - len(self._occupants(provider)))

    def _order(self, provider: str) -> list[JobId]:
        """Return the waiting jobs by turn and, within a turn, by age."""
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
            if other == provider:
                continue
            inside, waiting = self._inside[other], self._waiting[other]
            is_inside = job_id in inside
            job = inside.pop(job_id, None) or waiting.pop(job_id, None)
            if is_inside:
                self._on_leave(other, job_id)
            if job is not None:
                self._left(other, job)

    def _left(self, provider: str, job: Job) -> None:
        """Drop the turns of a user without songs at this provider, and let the next jobs in."""
        user_id = job.request.user_id
        here = (*self._occupants(provider), *self._waiting[provider].values())
        if all(other.request.user_id != user_id for other in here):
            self._taken[provider].pop(user_id, None)
        order = self._order(provider)
        self._shifted(provider, order)
        for first in order[: self._free_places(provider)]:
            self._on_turn(first)

    def _shifted(self, provider: str, order: Sequence[JobId]) -> None:
        waiting = self._waiting[provider]
        inside = tuple(self._occupants(provider))
        self._on_shift(provider, inside, [waiting[job_id] for job_id in order])


def _age(job: Job) -> tuple[datetime, int]:
    """Return a sort key by age; interaction ids break ties, as stored times are whole seconds."""
    return job.created_at, job.interaction_id
