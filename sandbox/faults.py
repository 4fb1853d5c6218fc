"""Injected faults: error statuses, delays and broken connections for chosen requests."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from sandbox.errors import DiscordError
from sandbox.limits import RateLimited


@dataclass(slots=True, kw_only=True)
class Fault:
    """A fault for requests such as `PATCH /webhooks/*`, applied `times` times or until cleared.

    With `after`, the request takes effect, and only its response is lost or replaced. With
    `with_files`, only requests with files match.
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
        """Return whether a request matches. A route without a method matches all methods."""
        if self.with_files and not has_files:
            return False
        wanted = self.route if " " in self.route else f"* {self.route}"
        return fnmatchcase(f"{method} {path}", wanted)

    def error(self) -> DiscordError | None:
        """Return the error for the response, if any."""
        if self.status == 429 and self.code is None:
            return RateLimited(1.0)
        if self.code is not None:
            return DiscordError(self.code, status=self.status)
        if self.status is not None:
            return DiscordError(0, status=self.status, message=f"{self.status}: injected fault")
        return None


class Faults:
    """The active faults, in the order in which they were added."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Add a fault."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def next_for(self, method: str, path: str, *, has_files: bool = False) -> Fault | None:
        """Return the first fault that matches a request, and decrement its count."""
        for fault in self._faults:
            if not fault.matches(method, path, has_files=has_files):
                continue
            if fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    self._faults.remove(fault)
            return fault
        return None
