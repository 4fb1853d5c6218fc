"""`models`: fetch the engine's model, the studio's accepted ones, and the page's time stretcher."""

from rich.console import Console

from bot.cli.commands.studio_models import fetch_accepted
from bot.cli.opening.outbound import configure_clients
from bot.cli.opening.provider_set import engine_threads
from bot.config import Settings
from bot.domain.errors import ModelUnavailable
from bot.engine import model_catalogue
from bot.engine.model_install import fetch
from bot.engine.weights import Weights


def models(settings: Settings, console: Console) -> int:
    """Fetch missing files: the model, if `local` is configured, and the time stretcher.

    Raises ModelUnavailable for the model, and SettingsError. Without the stretcher the mixer page
    plays at the original key and speed only.
    """
    configure_clients()
    if "local" in settings.usable_providers:
        model = model_catalogue.MODELS[settings.local_model]
        fetch(
            model,
            settings.models_dir,
            console,
            accept_licence=settings.accepts_licence_of(model),
        )
        if note := model.time_note(threads=engine_threads()):
            console.print(f"{note}.", markup=False, highlight=False, soft_wrap=True)
    fetch_accepted(settings, console)
    try:
        fetch(model_catalogue.STRETCH, settings.models_dir, console)
    except ModelUnavailable as exc:
        console.print(
            f"The mixer page will not change key or speed: {exc}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    return 0


def has_stretch(settings: Settings) -> bool:
    """Whether the mixer page's time stretcher is installed."""
    return Weights(model_catalogue.STRETCH, settings.models_dir).is_present()


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
