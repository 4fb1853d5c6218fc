"""Discord's ids, which are unique, ordered and contain their creation time."""

from sandbox.clock import SandboxClock

DISCORD_EPOCH_MS = 1_420_070_400_000
_TIME_SHIFT = 22


class Snowflakes:
    """Generates ids in ascending order, even within one millisecond."""

    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> int:
        """Return an id that is greater than all previous ones."""
        elapsed_ms = int(self._clock.now() * 1000) - DISCORD_EPOCH_MS
        self._last = max(self._last + 1, elapsed_ms << _TIME_SHIFT)
        return self._last

    def next_in_shard(self, shard_id: int, shard_count: int) -> int:
        """Return an id for a server of this shard."""
        found = self.next()
        steps = (shard_id - (found >> _TIME_SHIFT)) % shard_count
        self._last = found + (steps << _TIME_SHIFT)
        return self._last
