"""Fetches the files of the studio's networks from their addresses, checked by size and hash."""

from pathlib import Path

from rich.console import Console

from bot.engine.model_declaration import PinnedFile, WebFile
from bot.engine.model_install import fetch
from bot.engine.studio.studio_catalogue import Network, NetworkFile


def lacking(network: Network) -> tuple[NetworkFile, ...]:
    """Return the network's files that are missing or incomplete."""
    return tuple(file for file in network.files if not _is_whole(file))


def fetch_network(network: Network, folder: Path, console: Console) -> None:
    """Fetch the missing files, and store the terms beside them.

    Raises ModelUnavailable with a sentence for the operator.
    """
    for file in lacking(network):
        pinned = PinnedFile(
            name=file.path.name,
            title=f"{network.title} ({file.path.suffix.removeprefix('.')})",
            file_name=file.path.name,
            source=WebFile(address=file.address, size_bytes=file.size_bytes, sha256=file.sha256),
            notice=f"{network.notice}\n",
        )
        fetch(pinned, folder, console)


def _is_whole(file: NetworkFile) -> bool:
    return file.path.is_file() and file.path.stat().st_size == file.size_bytes
