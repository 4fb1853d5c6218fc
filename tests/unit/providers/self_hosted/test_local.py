"""The embedded engine as a provider, on top of a scripted engine."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from bot.domain.attempt import RemoteRef
from bot.domain.errors import EngineFailed, ModelUnavailable, NoRoom, ProviderRefused
from bot.domain.job import JobId
from bot.domain.recipes import Stem
from bot.engine.model_catalogue import SPLEETER
from bot.engine.worker_host import EngineStarved
from bot.providers.interface import Call, Failed, Finished, Running, Source
from bot.providers.self_hosted.local import Local, offered

KARAOKE = offered(SPLEETER)[0]


class StandIn:
    """An engine without a network. It first raises scripted errors, then writes empty spools."""

    model = SPLEETER

    def __init__(self, *errors: Exception, is_ready: bool = True) -> None:
        self.is_ready = is_ready
        self._errors = list(errors)
        self.separations = 0
        self.warm_ups = 0

    async def warm_up(self) -> None:
        self.warm_ups += 1
        if self._errors:
            raise self._errors.pop(0)

    def fail_next(self, error: Exception) -> None:
        self._errors.append(error)

    async def separate(
        self,
        mixture: Path,
        *,
        frames: int,
        stems: Iterable[Stem],
        into: Path,
        progress: Callable[[float], None],
    ) -> dict[Stem, Path]:
        self.separations += 1
        progress(0.5)
        if self._errors:
            raise self._errors.pop(0)
        return {stem: into / f"{stem}.f32" for stem in stems}


def local(engine: StandIn) -> Local:
    return Local(engine=engine)  # type: ignore[arg-type] # matches by shape


async def submitted(provider: Local, tmp_path: Path) -> RemoteRef:
    call = Call(job_id=JobId("a2b3c"), attempt=1, model=KARAOKE, workdir=tmp_path)
    source = Source(mixture=tmp_path / "mixture.f32", frames=1, url=None)
    return (await provider.submit(call, source)).ref


async def end_of(provider: Local, ref: RemoteRef) -> Finished | Failed:
    async with asyncio.timeout(5):
        while isinstance(answer := await provider.poll(ref), Running):
            await asyncio.sleep(0)
    assert isinstance(answer, Finished | Failed)
    return answer


async def test_a_separation_that_found_no_room_says_so_and_is_under_way_again(
    tmp_path: Path,
) -> None:
    engine = StandIn(NoRoom("disk_full"))
    provider = local(engine)
    ref = await submitted(provider, tmp_path)
    with pytest.raises(NoRoom):
        await end_of(provider, ref)
    assert isinstance(await end_of(provider, ref), Finished)
    assert engine.separations == 2


@pytest.mark.parametrize("error", [NoRoom("full"), EngineFailed("it hung"), ModelUnavailable("?")])
async def test_a_worker_that_cannot_be_started_ahead_harms_no_song(
    tmp_path: Path, error: Exception
) -> None:
    engine = StandIn(error)
    provider = local(engine)
    await provider.warm_up()
    assert engine.warm_ups == 1
    assert isinstance(await end_of(provider, await submitted(provider, tmp_path)), Finished)


async def test_without_its_model_nothing_is_started_ahead() -> None:
    engine = StandIn(is_ready=False)
    await local(engine).warm_up()
    assert engine.warm_ups == 0


async def test_a_separation_that_failed_is_not_begun_again(tmp_path: Path) -> None:
    engine = StandIn(EngineFailed("it hung"))
    provider = local(engine)
    assert isinstance(await end_of(provider, await submitted(provider, tmp_path)), Failed)
    assert engine.separations == 1


async def test_without_its_model_it_refuses_for_waiting_brings_none(tmp_path: Path) -> None:
    with pytest.raises(ProviderRefused):
        await submitted(local(StandIn(is_ready=False)), tmp_path)


async def test_a_model_that_cannot_be_loaded_is_tried_once_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = StandIn(ModelUnavailable("the file is damaged"))
    provider = local(engine)
    ref = await submitted(provider, tmp_path)
    for _ in range(2):
        assert isinstance(await end_of(provider, ref), Failed)
    with pytest.raises(ProviderRefused):
        await submitted(provider, tmp_path)
    assert engine.separations == 1
    [error] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "`python -m bot models`" in error.getMessage()


async def test_an_engine_that_is_killed_twice_in_a_row_rests_and_says_for_want_of_what(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = StandIn(*(EngineStarved("the worker ended with status -9") for _ in range(2)))
    provider = local(engine)
    for _ in range(2):
        assert isinstance(await end_of(provider, await submitted(provider, tmp_path)), Failed)
    with pytest.raises(ProviderRefused, match="too little memory"):
        await submitted(provider, tmp_path)
    assert engine.separations == 2
    assert "MiB" in caplog.text


async def test_an_engine_that_works_between_two_kills_does_not_rest(tmp_path: Path) -> None:
    engine = StandIn(EngineStarved("killed"))
    provider = local(engine)
    assert isinstance(await end_of(provider, await submitted(provider, tmp_path)), Failed)
    assert isinstance(await end_of(provider, await submitted(provider, tmp_path)), Finished)
    engine.fail_next(EngineStarved("killed"))
    assert isinstance(await end_of(provider, await submitted(provider, tmp_path)), Failed)
    assert isinstance(await end_of(provider, await submitted(provider, tmp_path)), Finished)


async def test_a_damaged_file_is_trouble_for_every_model_that_needs_it(tmp_path: Path) -> None:
    provider = local(StandIn(ModelUnavailable("the file is cut off")))
    assert {provider.trouble_with(model) for model in offered(SPLEETER)} == {None}
    await end_of(provider, await submitted(provider, tmp_path))
    assert {provider.trouble_with(model) for model in offered(SPLEETER)} == {"the file is cut off"}


async def test_a_pause_for_lack_of_memory_is_trouble(tmp_path: Path) -> None:
    provider = local(StandIn(*(EngineStarved("no memory") for _ in range(2))))
    for _ in range(2):
        assert provider.trouble_with(KARAOKE) is None
        await end_of(provider, await submitted(provider, tmp_path))
    assert "paused" in (provider.trouble_with(KARAOKE) or "")


def test_a_missing_file_is_trouble_as_long_as_it_is_missing() -> None:
    engine = StandIn(is_ready=False)
    provider = local(engine)
    assert "is not on this machine" in (provider.trouble_with(KARAOKE) or "")
    engine.is_ready = True
    assert provider.trouble_with(KARAOKE) is None


@pytest.mark.parametrize("errors", [(), (EngineFailed("it hung"),)])
async def test_the_end_of_a_separation_is_told_at_once(
    tmp_path: Path, errors: tuple[Exception, ...]
) -> None:
    provider = local(StandIn(*errors))
    ref = await submitted(provider, tmp_path)
    former, ended = asyncio.Event(), asyncio.Event()
    provider.when_done(ref, former.set)
    provider.when_done(ref, ended.set)
    assert not ended.is_set()
    async with asyncio.timeout(5):
        await ended.wait()
    assert not isinstance(await provider.poll(ref), Running)
    assert not former.is_set()
    again = asyncio.Event()
    provider.when_done(ref, again.set)
    assert again.is_set()
