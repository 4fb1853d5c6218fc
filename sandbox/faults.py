"""Faults that tests order: wrong statuses, delays, broken connections, for chosen requests."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from sandbox.errors import DiscordError
from sandbox.limits import RateLimited


@dataclass(slots=True, kw_only=True)
class Fault:
    """What to do to requests like `PATCH /webhooks/*`; `times` of none means until cleared.

    With `after`, the request takes effect and only its answer is lost or falsified; with
    `with_files`, only requests that bring files are meant.
    """

    route: str
    status: int | None = None
    code: int | None = None
    delay_s: float = 0.0
    reset: bool = False
    after: bool = False
    with_files: bool = False
    times: int | None = None

    def matches(self, method: str, path: str, *, has_files: bool) -> bool:
        """Whether a request is meant; a route without a method means all methods."""
        if self.with_files and not has_files:
            return False
        wanted = self.route if " " in self.route else f"* {self.route}"
        return fnmatchcase(f"{method} {path}", wanted)

    def error(self) -> DiscordError | None:
        """Return the refusal that it stands for, if it does."""
        if self.status == 429 and self.code is None:
            return RateLimited(1.0)
        if self.code is not None:
            return DiscordError(self.code, status=self.status)
        if self.status is not None:
            return DiscordError(0, status=self.status, message=f"{self.status}: ordered fault")
        return None


class Faults:
    """The faults in force, in the order in which they were set."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Put a fault in force."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Lift all faults."""
        self._faults.clear()

    def next_for(self, method: str, path: str, *, has_files: bool = False) -> Fault | None:
        """Return the first fault for a request, and use it up by one."""
        for fault in self._faults:
            if not fault.matches(method, path, has_files=has_files):
                continue
            if fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    self._faults.remove(fault)
            return fault
        return None
