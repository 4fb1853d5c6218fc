"""Opens the embedded engine: on a graphics card, if the other interpreter can use one."""

import asyncio
import logging
from pathlib import Path

from bot.cli.opening.provider_set import build_embedded
from bot.cli.opening.studio_opening import studio_python
from bot.config import Settings, SettingsError
from bot.engine.hardware.interpreter import InterpreterFailed, InterpreterReport, examine
from bot.providers.self_hosted import local
from bot.providers.self_hosted.local import Local

log = logging.getLogger(__name__)


async def open_embedded(settings: Settings) -> Local:
    """Return the embedded engine, with its worker started if it is on a graphics card.

    If the graphics card cannot be used, logs that, or raises SettingsError if STEMCORD_DEVICE
    requires it.
    """
    if settings.device == "cpu" or local.NAME not in settings.usable_providers:
        return build_embedded(settings)
    python = studio_python(settings)
    if python is None:
        return _without(settings, "there is no other interpreter: make studio GPU=1, or "
                        "STEMCORD_STUDIO_PYTHON", is_usual=True)  # fmt: skip
    try:
        report = await asyncio.to_thread(examine, python)
    except InterpreterFailed as exc:
        return _without(settings, f"{python} cannot be used: {exc}")
    if (trouble := report.trouble()) is not None:
        return _without(settings, f"{python} cannot be used: {trouble}")
    if report.gpu_provider is None:
        why = f"{python} has no onnxruntime for graphics cards"
        return _without(settings, why, is_usual=True, is_enough=_has_studio(settings, report))
    return await _tried(settings, python)


async def _tried(settings: Settings, python: Path) -> Local:
    embedded = build_embedded(settings, gpu_python=python)
    try:
        reason = await embedded.try_gpu()
        if reason is not None and settings.device == "cuda":
            raise _required(reason)
    except BaseException:
        await embedded.aclose()
        raise
    if reason is not None:
        log.warning("no graphics card is used: %s", reason)
    return embedded


def _without(
    settings: Settings, why: str, *, is_usual: bool = False, is_enough: bool = False
) -> Local:
    """Return the engine on the CPU. `is_enough` allows that even if a graphics card is required."""
    if settings.device == "cuda" and not is_enough:
        raise _required(why)
    log.log(logging.DEBUG if is_usual else logging.WARNING, "no graphics card is used: %s", why)
    return build_embedded(settings)


def _has_studio(settings: Settings, report: InterpreterReport) -> bool:
    return bool(report.torch and settings.studio_accept)


def _required(why: str) -> SettingsError:
    return SettingsError(f"STEMCORD_DEVICE: expected auto or cpu, because {why}")
