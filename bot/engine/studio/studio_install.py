"""Fetches the files of the studio's networks, by address, size and hash."""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from bot.domain.errors import DISK_FULL, ModelUnavailable
from bot.engine import web_download
from bot.engine.model_declaration import WebFile
from bot.engine.model_install import progress_bar, say
from bot.engine.studio.studio_catalogue import Network, NetworkFile, StudioModel
from storage.files.atomic import move_into_place, write_text

_MARGIN_BYTES = 100_000_000
"""The space that is left free."""


def fetch_networks(models: Iterable[StudioModel], console: Console) -> None:
    """Fetch what is missing of the networks of these models, whose terms must be accepted.

    Files that have the right size are left alone; the worker compares their hashes. Raises
    ModelUnavailable with a sentence for the operator.
    """
    networks = dict.fromkeys(network for model in models for network in model.networks)
    for network in networks:
        missing = [file for file in network.files if not _is_there(file)]
        if missing:
            _fetch(network, missing, console)


def _is_there(file: NetworkFile) -> bool:
    return file.path.is_file() and file.path.stat().st_size == file.size_bytes


def _fetch(network: Network, files: Iterable[NetworkFile], console: Console) -> None:
    say(console, network.notice, style="yellow")
    try:
        for file in files:
            _fetch_file(network, file, console)
    except OSError as exc:
        why = "the disk is full" if exc.errno in DISK_FULL else exc.strerror
        raise ModelUnavailable(f"{network.title} cannot be written: {why}.") from exc
    say(console, f"{network.title} is ready")


def _fetch_file(network: Network, file: NetworkFile, console: Console) -> None:
    source = WebFile(address=file.address, size_bytes=file.size_bytes, sha256=file.sha256)
    folder = file.path.parent
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free < file.size_bytes + _MARGIN_BYTES:
        raise ModelUnavailable(
            f"There is no room for {network.title} in {folder}: {source.size_mb:,} MB are needed."
        )
    with (
        tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as place,
        progress_bar(network.title, source.size_mb, console) as progress,
    ):
        made = web_download.download(source, Path(place) / "download", progress)
        write_text(folder / f"{network.name}.LICENSE.txt", f"{network.notice}\n")
        move_into_place(made, file.path)
