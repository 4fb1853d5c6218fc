"""Which model a finished result belongs to if its provider's declarations have since changed."""

from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.attempt import RemoteRef
from bot.domain.job import State
from bot.providers.interface import Failed, Finished, Lost, Model, Running
from tests.support.fakes import TWO_STEMS, FakeProvider
from tests.support.harness import Harness


class Forgetful(FakeProvider):
    """A provider that declares another model once it has finished a song."""

    async def poll(self, ref: RemoteRef) -> Running | Finished | Failed | Lost:
        answer = await super().poll(ref)
        other = replace(TWO_STEMS, name="other")
        self.capabilities = replace(self.capabilities, models=(other,))
        return answer


class Remembering(Forgetful):
    async def model_of(self, ref: RemoteRef) -> Model | None:
        return {"fake-1": TWO_STEMS}.get(ref)


@pytest.mark.parametrize(
    ("provider", "outcome"), [(Remembering, State.DELIVERED), (Forgetful, State.FAILED)]
)
async def test_a_result_of_a_model_that_is_declared_no_more_is_collected_if_it_is_remembered(
    provider: type[FakeProvider], outcome: State, tmp_path: Path
):
    harness = await Harness.build(tmp_path, provider())
    job = await harness.until((await harness.split()).id)
    await harness.close()
    assert job.state is outcome
