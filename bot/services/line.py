"""The line in front of each provider: fair, in memory, one place a job.

Everyone's first song comes before anyone's second. Who already has a job at the provider
counts as having had the first.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from bot.domain.job import Job, JobId, UserId


class Line:
    """Who is at a provider and who waits for it."""

    def __init__(self, *, places: Mapping[str, int], on_move: Callable[[JobId], None]) -> None:
        """Take each provider's number of places and whom to tell when a waiting job moves."""
        self._places = dict(places)
        self._on_move = on_move
        self._inside: dict[str, dict[JobId, Job]] = {name: {} for name in places}
        self._waiting: dict[str, dict[JobId, Job]] = {name: {} for name in places}

    def enter(self, provider: str, job: Job) -> int | None:
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
            inside[job.id] = waiting.pop(job.id)
            return None
        if is_new:
            self._tell(order[index + 1 :])
        return index + len(inside)

    def stand(self, provider: str, job: Job) -> int:
        """Stand in line without taking a place, as while the provider rests: return who is ahead.

        Standing in line at one provider leaves every other.
        """
        self._leave_others(provider, job.id)
        self._inside[provider].pop(job.id, None)
        self._waiting[provider][job.id] = job
        return self._order(provider).index(job.id) + len(self._inside[provider])

    def occupy(self, provider: str, job: Job) -> None:
        """Count a job that the provider already works on, as after a restart."""
        if provider in self._inside:
            self._leave_others(provider, job.id)
            self._waiting[provider].pop(job.id, None)
            self._inside[provider][job.id] = job

    def leave(self, job_id: JobId) -> None:
        """Give up a job's place, inside or waiting, and tell those behind it."""
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
        """Return the waiting jobs by turn: by songs their user has in front, then by age."""
        songs: Counter[UserId] = Counter(
            job.request.user_id for job in self._inside[provider].values()
        )
        turns: dict[JobId, int] = {}
        by_age = sorted(self._waiting[provider].values(), key=lambda job: (job.created_at, job.id))
        for job in by_age:
            turns[job.id] = songs[job.request.user_id]
            songs[job.request.user_id] += 1
        return sorted(turns, key=lambda job_id: turns[job_id])

    def _leave_others(self, provider: str | None, job_id: JobId) -> None:
        for other in self._places:
            if other != provider and self._remove(other, job_id):
                self._tell(self._order(other))

    def _tell(self, moved: Iterable[JobId]) -> None:
        for job_id in moved:
            self._on_move(job_id)

    def _remove(self, provider: str, job_id: JobId) -> bool:
        inside = self._inside[provider].pop(job_id, None)
        return (self._waiting[provider].pop(job_id, None) or inside) is not None
