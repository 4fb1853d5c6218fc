from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import pytest

from bot.providers.interface import Model
from bot.workers.usable_models import UsableModels
from tests.support.fakes import TWO_STEMS

FOUR = replace(TWO_STEMS, name="four")


class Worker:
    """A worker's parts, which record what it tells the bots and which queues it takes from."""

    def __init__(self) -> None:
        self.models: Sequence[Model] = (TWO_STEMS, FOUR)
        self.now: dict[str, str] = {}
        self.offered: list[list[str]] = []
        self.taken: list[str] = []

    def troubles(self) -> dict[str, str]:
        return dict(self.now)

    async def offer(self, models: Sequence[Model], *, troubles: Mapping[str, str]) -> None:
        self.offered.append([model.name for model in models if model.name not in troubles])

    def take_only(self, models: Iterable[str]) -> None:
        self.taken = list(models)


async def test_models_are_withdrawn_while_they_cannot_be_used(caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO")
    worker = Worker()
    usable = UsableModels(
        separator=worker,  # type: ignore[arg-type] # matches by shape
        presence=worker,  # type: ignore[arg-type] # matches by shape
        take_only=worker.take_only,
        noticed_s=0,
    )
    assert not await usable.check()
    worker.now = {"two": "it is cut off"}
    await usable.after_failure()
    assert not await usable.check()
    assert (worker.offered, worker.taken) == ([["four"]], ["four"])
    worker.now["four"] = "paused"
    assert await usable.check()
    assert worker.taken == []
    worker.now["four"] = "cut off, too"
    assert not await usable.check()
    del worker.now["four"]
    assert await usable.check()
    assert (worker.offered, worker.taken) == ([["four"], [], [], ["four"]], ["four"])
    assert [record.getMessage() for record in caplog.records] == [
        "two is no longer offered: it is cut off",
        "four is no longer offered: paused",
        "no model can be used, so no songs are taken",
        "four is offered again",
    ]
