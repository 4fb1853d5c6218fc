"""Offers only the models that a worker can use: one that fails at once would get every song."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from bot.providers.self_hosted.workers import LOOK_EVERY_S
from bot.workers.presence import Presence
from bot.workers.separator import Separator

log = logging.getLogger(__name__)

CHECK_EVERY_S: Final = 10.0
"""How often to look for models that have become usable or unusable."""
NOTICED_S: Final = LOOK_EVERY_S + 1.0
"""The time within which the bots have seen a change of a worker's row."""


class UsableModels:
    """Withdraws models that their providers can't use, and offers them again."""

    def __init__(
        self,
        *,
        separator: Separator,
        presence: Presence,
        take_only: Callable[[Iterable[str]], None],
        noticed_s: float = NOTICED_S,
    ) -> None:
        """`take_only` limits the queue to tasks for the given models."""
        self._separator = separator
        self._presence = presence
        self._take_only = take_only
        self._noticed_s = noticed_s
        self._troubles: Mapping[str, str] = {}

    async def follow(self) -> None:
        """Check until cancelled."""
        while True:
            await self.check()
            await asyncio.sleep(CHECK_EVERY_S)

    async def after_failure(self) -> None:
        """Check before a failure is reported, so that the bots don't send the song here again."""
        if await self.check():
            await asyncio.sleep(self._noticed_s)

    async def check(self) -> bool:
        """Tell queue and bots which models can be used now; return whether that changed."""
        before, now = self._troubles, self._separator.troubles()
        if before == now:
            return False
        self._troubles, is_changed = now, before.keys() != now.keys()
        for name in now.keys() - before.keys():
            log.error("%s is no longer offered: %s", name, now[name])
        for name in before.keys() - now.keys():
            log.info("%s is offered again", name)
        usable = [model for model in self._separator.models if model.name not in now]
        if is_changed and not usable:
            log.error("no model can be used, so no songs are taken")
        self._take_only(model.name for model in usable)
        await self._presence.offer(self._separator.models, troubles=now)
        return is_changed
