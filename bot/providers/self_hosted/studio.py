"""The studio as a provider: the catalogue's models that its worker declared at start."""

from pathlib import Path

from bot.domain.errors import ModelUnavailable
from bot.domain.recipes import Stem
from bot.engine.protocol import Ready
from bot.engine.studio.studio_engine import StudioEngine
from bot.providers.interface import Call, Model
from bot.providers.self_hosted.engine_provider import EngineProvider, Separation

NAME = "studio"


class Studio(EngineProvider):
    """Separates songs on this machine, in the studio's interpreter."""

    def __init__(self, *, engine: StudioEngine) -> None:
        """Offer what the engine's worker has declared; a change to its files requires a restart."""
        super().__init__(
            name=NAME,
            title="Stemcord studio",
            models=tuple(
                Model(
                    name=model.name,
                    title=model.title,
                    stems=model.stems,
                    sums_to_song=model.sums,
                    extra_spools=len(model.spools - model.stems),
                )
                for model in engine.models.values()
            ),
        )
        self._engine = engine
        # Kept, because a later worker may not declare the model of an earlier song.
        self._memory_mib = {model.name: model.memory_mib for model in engine.models.values()}

    @property
    def declared(self) -> Ready | None:
        """What the studio's last worker said about itself."""
        return self._engine.declared

    def _file_title(self, model: Model) -> str:
        return model.title  # the last worker may not have declared it

    def _lack(self, model: Model) -> str | None:
        if model.name in self._engine.models:
            return None
        return f"the studio no longer has the model {model.name}"

    async def _separate(self, separation: Separation) -> dict[Stem, Path]:
        call, source = separation.call, separation.source
        model = self._engine.models.get(call.model.name)
        if model is None:  # a later worker did not declare it
            raise ModelUnavailable(f"the studio no longer has the model {call.model.name}")
        return await self._engine.separate(
            model,
            source.mixture,
            frames=source.frames,
            stems=sorted(call.model.stems),
            into=call.workdir,
            progress=separation.advance,
        )

    def _needed_mib(self, call: Call) -> int:
        return self._memory_mib[call.model.name]

    async def _start_worker(self) -> None:
        await self._engine.warm_up()

    async def _end_worker(self) -> None:
        await self._engine.close()
