"""Opens the studio, if the operator has set it up: its interpreter and accepted models."""

import logging
from dataclasses import dataclass
from pathlib import Path

from bot.cli.opening.provider_set import engine_threads
from bot.config import Settings, SettingsError
from bot.domain.errors import EngineFailed, ModelUnavailable, NoRoom
from bot.engine.protocol import Ready
from bot.engine.studio.studio_catalogue import Catalogue, DamagedCatalogue, read_catalogue
from bot.engine.studio.studio_engine import StudioEngine
from bot.providers.self_hosted.studio import NAME, Studio

log = logging.getLogger(__name__)

MADE_BY_MAKE = Path(".venv-studio/bin/python")
"""The interpreter that `make studio` installs, in the working directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedStudio:
    """The studio, or the reason why it cannot be used; neither if it is not set up."""

    provider: Studio | None = None
    why_not: str | None = None


def studio_python(settings: Settings) -> Path | None:
    """Return the other interpreter, if there is one."""
    if settings.studio_python is not None:
        return settings.studio_python
    made = MADE_BY_MAKE.absolute()
    return made if made.exists() else None


def accepted_catalogue(settings: Settings) -> Catalogue:
    """Return the catalogue. Raises DamagedCatalogue, and SettingsError for an unknown name."""
    catalogue = read_catalogue(settings.models_dir)
    known = [model.name for model in catalogue.models]
    if set(settings.studio_accept) - set(known):
        raise SettingsError(f"STEMCORD_STUDIO_ACCEPT: expected names among {', '.join(known)}")
    return catalogue


async def open_studio(settings: Settings) -> OpenedStudio:
    """Start the studio's worker and return the provider that offers its models.

    Raises SettingsError for an unknown model, or if STEMCORD_DEVICE requires a GPU that cannot be
    used.
    """
    if NAME not in settings.usable_providers or not settings.studio_accept:
        return OpenedStudio()
    python = studio_python(settings)
    if python is None:
        return _none("there is no interpreter for it: make studio, or STEMCORD_STUDIO_PYTHON")
    try:
        catalogue = accepted_catalogue(settings)
    except DamagedCatalogue as exc:
        return _none(f"its catalogue cannot be used: {exc}")
    engine = StudioEngine(
        python=python,
        catalogue=catalogue,
        models=catalogue.accepted(settings.studio_accept),
        device=settings.device,
        threads=engine_threads(),
    )
    try:
        await engine.warm_up()
    except (EngineFailed, ModelUnavailable, NoRoom) as exc:
        await engine.close()
        return _none(f"{python} does not run it: {exc}")
    except BaseException:
        await engine.close()
        raise
    return await _offered(settings, engine)


async def _offered(settings: Settings, engine: StudioEngine) -> OpenedStudio:
    declared = engine.declared
    for each in declared.missing if declared else ():
        log.warning("studio: %s is left out: %s", each.name, each.reason)
    if settings.device == "cuda" and declared is not None and declared.device == "cpu":
        await engine.close()
        why = f": {declared.device_note}" if declared.device_note else ""
        raise SettingsError(
            f"STEMCORD_DEVICE: expected auto or cpu, because the studio runs on the CPU{why}"
        )
    if declared is None or not engine.models:
        await engine.close()
        return _none(_lacks(declared))
    log.info("studio: %s on %s (%s)", ", ".join(engine.models), declared.device,
             declared.device_name)  # fmt: skip
    return OpenedStudio(provider=Studio(engine=engine))


def _lacks(declared: Ready | None) -> str:
    missing = declared.missing if declared else ()
    return "; ".join(f"{each.name}: {each.reason}" for each in missing) or "it has no model"


def _none(why: str) -> OpenedStudio:
    log.warning("%s is left out: %s", NAME, why)
    return OpenedStudio(why_not=why)
