"""What a client knows about its shards, and the check that it may still act for them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp

from storage.groups.shard_group import ShardGroup

LATE_S = 2.0
"""A live successor answers a command within this time; Discord refuses answers after 3 s."""


class NotTheOwner(aiohttp.ClientConnectionError):
    """Another process may be the bot now, so nothing is sent to Discord."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharding:
    """The shards of a client that is one of several."""

    group: ShardGroup
    turn_s: Callable[[int, int], Awaitable[float]]
    """Takes a turn to identify for a shard, given Discord's `max_concurrency`; returns the seconds
    to wait."""

    @property
    def registers_commands(self) -> bool:
        """Whether this client is the one that registers the commands, which all clients share."""
        return 0 in self.group.shard_ids


def checks_on(may_act: Callable[[], bool]) -> aiohttp.TraceConfig:
    """Return a hook that stops requests to Discord by a client that may no longer act.

    The hook makes such a request raise NotTheOwner. Answers to commands are sent, but late, so that
    a successor answers first.
    """

    async def check(
        session: aiohttp.ClientSession,
        context: object,
        params: aiohttp.TraceRequestStartParams,
    ) -> None:
        del session, context
        if may_act():
            return
        if not params.url.path.endswith("/callback"):
            raise NotTheOwner("another process may be the bot now")
        await asyncio.sleep(LATE_S)

    hooks = aiohttp.TraceConfig()
    hooks.on_request_start.append(check)
    return hooks
