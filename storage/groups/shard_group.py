"""The shards that one bot process serves, and which servers and rows belong to them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

_RANGE: Final = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?/(\d{1,5})", re.ASCII)
_TIME_BITS: Final = 22
"""The bits of a server's id below its timestamp, which Discord's shard formula leaves out:
https://discord.com/developers/docs/events/gateway#sharding-sharding-formula"""

OWN_ROWS: Final = """
CASE WHEN guild_id IS NULL THEN 0 ELSE (guild_id >> 22) % :shard_count END
    BETWEEN :first_shard AND :last_shard
"""
"""The condition for rows of a group, with the parameters of `ShardGroup.parameters`.

Rows store the server and not its shard, so no row is lost when the number of shards changes.
"""


@dataclass(frozen=True, slots=True)
class ShardGroup:
    """Consecutive shards out of `count`. Direct messages belong to shard 0."""

    first: int
    last: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `0-3/16`, or `0/2` for a single shard. Raises ValueError."""
        match = _RANGE.fullmatch(text)
        if match is None:
            raise ValueError(text)
        first, count = int(match[1]), int(match[3])
        last = first if match[2] is None else int(match[2])
        if not first <= last < count:
            raise ValueError(text)
        return cls(first, last, count)

    def __str__(self) -> str:
        shards = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{shards}/{self.count}"

    @property
    def shard_ids(self) -> range:
        """The ids of the group's shards."""
        return range(self.first, self.last + 1)

    def owns(self, guild_id: int | None) -> bool:
        """Return whether a server, or direct messages, belong to this group."""
        shard = 0 if guild_id is None else (guild_id >> _TIME_BITS) % self.count
        return shard in self.shard_ids

    @property
    def first_server(self) -> int:
        """The lowest id that a server of this group can have."""
        return self.first << _TIME_BITS

    @property
    def parameters(self) -> Mapping[str, int]:
        """The parameters of `OWN_ROWS`."""
        return {
            "first_shard": self.first,
            "last_shard": self.last,
            "shard_count": self.count,
        }


EVERY_SHARD: Final = ShardGroup(0, 0, 1)
"""The group of a bot that serves all servers, however many shards Discord advises."""
