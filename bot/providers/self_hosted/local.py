"""The embedded engine as a provider: no key, no network, one song at a time."""

from pathlib import Path

from bot.audio.spool import frames_in
from bot.domain.recipes import Stem
from bot.engine.engine import Engine
from bot.engine.model_declaration import LocalModel
from bot.engine.protocol import Ready
from bot.providers.interface import Call, Model
from bot.providers.self_hosted.engine_provider import EngineProvider, Separation

NAME = "local"


def offered(model: LocalModel) -> tuple[Model, ...]:
    """Return what a model of the engine declares as a provider's models."""
    return tuple(
        Model(name=offer.name, stems=offer.stems, sums_to_song=True, is_basic=offer.is_basic)
        for offer in model.offers
    )


class Local(EngineProvider):
    """Separates songs on this machine."""

    def __init__(self, *, engine: Engine) -> None:
        super().__init__(name=NAME, title="Stemcord", models=offered(engine.model))
        self._engine = engine

    async def vocals(self, mixture: Path, into: Path) -> Path:
        """Separate the vocals of a short spool. Raises ModelUnavailable or EngineFailed."""
        stems = await self._engine.separate(
            mixture,
            frames=frames_in(mixture),
            stems=[Stem.VOCALS],
            into=into,
            progress=lambda _: None,
        )
        return stems[Stem.VOCALS]

    async def try_gpu(self) -> str | None:
        """Use the graphics card, or return why it cannot be used. See `Engine.try_gpu`."""
        return await self._engine.try_gpu() if self._engine.is_ready else None

    @property
    def declared(self) -> Ready | None:
        """What the engine's last worker said about itself; None before the first."""
        return self._engine.declared

    def _file_title(self, model: Model) -> str:
        return self._engine.model.title

    def _lack(self, model: Model) -> str | None:
        if self._engine.is_ready:
            return None
        return f"the model {self._engine.model.title} is not on this machine"

    async def _separate(self, separation: Separation) -> dict[Stem, Path]:
        call, source = separation.call, separation.source
        return await self._engine.separate(
            source.mixture,
            frames=source.frames,
            stems=sorted(call.model.stems),
            into=call.workdir,
            progress=separation.advance,
        )

    def _needed_mib(self, call: Call) -> int:
        return self._engine.model.cost.memory_mib

    async def _start_worker(self) -> None:
        if self._engine.is_ready and not self._broken:
            await self._engine.warm_up()

    async def _end_worker(self) -> None:
        await self._engine.close()
