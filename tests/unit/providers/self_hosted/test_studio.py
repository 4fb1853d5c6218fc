"""The studio as a provider, on top of a scripted engine."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from bot.domain.attempt import RemoteRef
from bot.domain.errors import EngineFailed, ModelUnavailable, NoRoom, ProviderRefused
from bot.domain.job import JobId
from bot.domain.recipes import Stem
from bot.engine.studio.studio_catalogue import StudioModel, read_catalogue
from bot.engine.worker_host import EngineStarved
from bot.providers.interface import Call, Failed, Finished, Lost, Running, Source
from bot.providers.self_hosted.studio import Studio
from tests.support.studio_catalogues import MODELS, NETWORKS, write_catalogue


class StandIn:
    """A studio engine that first raises scripted errors, then writes empty spools."""

    def __init__(self, models: Iterable[StudioModel], *errors: Exception) -> None:
        self.models = {model.name: model for model in models}
        self._errors = list(errors)
        self.separations: list[str] = []
        self.warm_ups = 0
        self.is_closed = False

    async def warm_up(self) -> None:
        self.warm_ups += 1
        if self._errors:
            raise self._errors.pop(0)

    async def separate(
        self,
        model: StudioModel,
        mixture: Path,
        *,
        frames: int,
        stems: Iterable[Stem],
        into: Path,
        progress: Callable[[float], None],
    ) -> dict[Stem, Path]:
        self.separations.append(model.name)
        progress(0.5)
        if self._errors:
            raise self._errors.pop(0)
        return {stem: into / f"{stem}.f32" for stem in stems}

    async def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def models(tmp_path: Path) -> tuple[StudioModel, ...]:
    write_catalogue(tmp_path, NETWORKS, MODELS)
    return read_catalogue(tmp_path).models


def studio(engine: StandIn) -> Studio:
    return Studio(engine=engine)  # type: ignore[arg-type] # matches by shape


async def submitted(provider: Studio, tmp_path: Path, name: str = "duet") -> RemoteRef:
    model = next(each for each in provider.capabilities.models if each.name == name)
    call = Call(job_id=JobId("a2b3c"), attempt=1, model=model, workdir=tmp_path)
    source = Source(mixture=tmp_path / "mixture.f32", frames=1, url=None)
    return (await provider.submit(call, source)).ref


async def end_of(provider: Studio, ref: RemoteRef) -> Finished | Failed:
    async with asyncio.timeout(5):
        while isinstance(answer := await provider.poll(ref), Running):
            await asyncio.sleep(0)
    assert isinstance(answer, Finished | Failed)
    return answer


def test_it_offers_what_the_worker_declared_with_titles_and_room_for_sources(
    models: tuple[StudioModel, ...],
) -> None:
    offered = {each.name: each for each in studio(StandIn(models)).capabilities.models}
    assert offered.keys() == {each.name for each in models}
    assert offered["karaoke"].extra_spools == 1
    assert offered["duet"].extra_spools == 0
    assert offered["six-stems"].sums_to_song
    assert not offered["dereverb"].sums_to_song
    assert offered["duet"].title == "Stand-in duet"


async def test_each_call_names_its_model(models: tuple[StudioModel, ...], tmp_path: Path) -> None:
    engine = StandIn(models)
    provider = studio(engine)
    for name in ("duet", "parts"):
        assert isinstance(
            await end_of(provider, await submitted(provider, tmp_path, name)), Finished
        )
    assert engine.separations == ["duet", "parts"]


async def test_a_broken_model_is_tried_once_and_the_others_still_work(
    models: tuple[StudioModel, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = StandIn(models, ModelUnavailable("voice.ckpt is not the file that was pinned"))
    provider = studio(engine)
    ref = await submitted(provider, tmp_path)
    for _ in range(2):
        assert isinstance(await end_of(provider, ref), Failed)
    with pytest.raises(ProviderRefused, match=r"voice\.ckpt"):
        await submitted(provider, tmp_path)
    assert isinstance(
        await end_of(provider, await submitted(provider, tmp_path, "parts")), Finished
    )
    [error] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "`python -m bot models`" in error.getMessage()


async def test_a_model_that_a_later_worker_does_not_declare_is_refused(
    models: tuple[StudioModel, ...], tmp_path: Path
) -> None:
    engine = StandIn(models, NoRoom("disk_full"))
    provider = studio(engine)
    ref = await submitted(provider, tmp_path)
    with pytest.raises(NoRoom):
        await end_of(provider, ref)
    del engine.models["duet"]
    assert await end_of(provider, ref) == Failed("the model cannot be loaded")
    with pytest.raises(ProviderRefused, match="no longer has the model duet"):
        await submitted(provider, tmp_path)


async def test_without_room_the_separation_begins_anew(
    models: tuple[StudioModel, ...], tmp_path: Path
) -> None:
    provider = studio(StandIn(models, NoRoom("disk_full")))
    ref = await submitted(provider, tmp_path)
    with pytest.raises(NoRoom):
        await end_of(provider, ref)
    assert isinstance(await end_of(provider, ref), Finished)


async def test_too_little_memory_twice_in_a_row_lets_the_next_provider_have_the_songs(
    models: tuple[StudioModel, ...], tmp_path: Path
) -> None:
    provider = studio(StandIn(models, *(EngineStarved("no memory") for _ in range(2))))
    for _ in range(2):
        failed = await end_of(provider, await submitted(provider, tmp_path))
        assert isinstance(failed, Failed)
        assert failed.is_starved
    with pytest.raises(ProviderRefused, match="too little memory"):
        await submitted(provider, tmp_path)


async def test_a_song_that_ran_out_of_memory_ends_though_later_workers_lack_its_model(
    models: tuple[StudioModel, ...], tmp_path: Path
) -> None:
    engine = StandIn(models, EngineStarved("killed"))
    provider = studio(engine)
    ref = await submitted(provider, tmp_path)
    engine.separations.clear()
    await asyncio.sleep(0)
    assert engine.separations == ["duet"]
    engine.models.clear()
    failed = await end_of(provider, ref)
    assert isinstance(failed, Failed)
    assert failed.is_starved


async def test_a_worker_that_cannot_be_started_ahead_harms_no_song(
    models: tuple[StudioModel, ...], tmp_path: Path
) -> None:
    engine = StandIn(models, EngineFailed("it hung"))
    provider = studio(engine)
    await provider.warm_up()
    assert isinstance(await end_of(provider, await submitted(provider, tmp_path)), Finished)


async def test_a_reference_of_another_process_is_lost(models: tuple[StudioModel, ...]) -> None:
    assert isinstance(await studio(StandIn(models)).poll(RemoteRef("other-1")), Lost)


async def test_closing_ends_the_worker(models: tuple[StudioModel, ...]) -> None:
    engine = StandIn(models)
    await studio(engine).aclose()
    assert engine.is_closed
