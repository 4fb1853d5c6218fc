"""Downloads a pinned file from an address, for what no registry has.

The machine's own proxy and certificates apply, as for the registries' clients.
"""

import hashlib
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import httpx

from bot.domain.errors import ModelUnavailable
from bot.engine.model_declaration import WebFile

_TIMEOUT = httpx.Timeout(30.0)
"""The limit for each connection and each wait for more bytes; the whole download may take
longer."""


def download(source: WebFile, place: Path, progress: Callable[[int], None]) -> Path:
    """Download the file into `place` and return its path; reports the bytes so far.

    Raises ModelUnavailable with a sentence for the operator. The file has its name only once its
    size and its hash are right.
    """
    place.mkdir()
    file_name = source.address.rpartition("/")[2]
    part = place / f"{file_name}.part"
    try:
        sha256 = _receive(source, part, progress)
    except httpx.HTTPError as exc:
        raise ModelUnavailable(
            f"{file_name} could not be downloaded from {source.host}; is this machine online? "
            f"({str(exc) or type(exc).__name__})"
        ) from exc
    if sha256 != source.sha256:
        raise ModelUnavailable(
            f"{file_name} from {source.host} is not the file that was pinned (its hash differs); "
            "it was not kept."
        )
    return part.replace(place / file_name)


def _receive(source: WebFile, part: Path, progress: Callable[[int], None]) -> str:
    """Write the file and return its hash; raises ModelUnavailable if its size is not as pinned."""
    digest, received = hashlib.sha256(), 0
    with (
        part.open("wb") as file,
        httpx.stream("GET", source.address, follow_redirects=True, timeout=_TIMEOUT) as answer,
    ):
        if answer.status_code != HTTPStatus.OK:
            raise ModelUnavailable(
                f"{source.host} answered {answer.status_code} for {source.address}."
            )
        for chunk in answer.iter_bytes():
            received += len(chunk)
            if received > source.size_bytes:
                break
            digest.update(chunk)
            file.write(chunk)
            progress(received)
    if received != source.size_bytes:
        kind = "longer" if received > source.size_bytes else "shorter"
        raise ModelUnavailable(
            f"{part.stem} from {source.host} is {kind} than the file that was pinned "
            f"({source.size_bytes:,} bytes); it was not kept."
        )
    return digest.hexdigest()
