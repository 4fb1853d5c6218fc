"""`models`: bring the embedded engine's model onto this machine."""

from rich.console import Console

from bot.config import Settings
from bot.engine import catalogue as known
from bot.engine.model_install import fetch


def models(settings: Settings, console: Console) -> int:
    """Fetch the configured model unless it is there; nothing when `local` is not configured."""
    if "local" not in settings.providers:
        return 0
    fetch(
        known.MODELS[settings.local_model],
        settings.models_dir,
        console,
        accept_licence=settings.accept_htdemucs_license,
    )
    return 0
