"""What the reply writer knows of one reply; in memory only, for the outbox knows what is owed."""

import asyncio
from dataclasses import dataclass, field

from bot.domain.job import Job
from bot.ui.card import Card
from bot.ui.routes import Way

MAX_PAUSE_S = 60.0


@dataclass(slots=True, eq=False)
class Watched:
    """One reply."""

    job: Job
    wanted: int | None = None
    """The version that is owed; None when only progress can change the card."""
    shown: Card | None = None
    closed: set[Way] = field(default_factory=set)
    is_delivered: bool = False
    """The message holds the stems, though the store may not know yet."""
    is_tended: bool = False
    failures: int = 0
    not_before: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def may_be_tended(self, now: float) -> bool:
        """Whether an edit may be considered now."""
        return not self.is_tended and not self.lock.locked() and now >= self.not_before

    def settled(self, version: int) -> None:
        """Note that `version` is no longer owed; a newer one may be."""
        if self.wanted == version:
            self.wanted = None

    def failed(self, now: float) -> None:
        """Pause for longer after each failure in a row."""
        self.failures += 1
        self.not_before = now + min(MAX_PAUSE_S, 2.0**self.failures)
