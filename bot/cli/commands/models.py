"""`models`: fetches the embedded engine's model, or says that it is installed."""

from rich.console import Console

from bot.config import Settings
from bot.domain.errors import ModelUnavailable
from bot.engine import model_catalogue
from bot.engine.model_install import fetch
from bot.engine.weights import Weights


def models(settings: Settings, console: Console) -> int:
    """Fetch the configured model if it is missing; does nothing if `local` is not configured.

    Raises ModelUnavailable.
    """
    if "local" not in settings.providers:
        return 0
    fetch(
        model_catalogue.MODELS[settings.local_model],
        settings.models_dir,
        console,
        accept_licence=settings.accept_htdemucs_license,
    )
    return 0


def model_problem(settings: Settings, *, thoroughly: bool = False) -> ModelUnavailable | None:
    """Return why the configured model cannot be used, as text for the operator, or None if it can.

    The default check is cheap; with `thoroughly` the whole file is read and hashed.
    """
    weights = Weights(model_catalogue.MODELS[settings.local_model], settings.models_dir)
    try:
        if thoroughly:
            weights.verify()
        else:
            weights.require()
    except ModelUnavailable as exc:
        return exc
    except OSError as exc:
        return ModelUnavailable(f"{exc.filename} cannot be read: {exc.strerror}.")
    return None
