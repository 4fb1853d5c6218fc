"""The version by which bots and workers know whether they run the same audio tasks."""

import importlib.metadata
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Final

import bot

_AUDIO_CODE: Final = ("audio", "workers/audio")


@cache
def our_version() -> str:
    """Return the version of the package and of its audio code, like `1.0+2f6c8a91`.

    Two checkouts can have the same package version, but different audio tasks.
    """
    version = "unknown"
    with suppress(importlib.metadata.PackageNotFoundError):
        version = importlib.metadata.version("stemcord")
    return f"{version}+{_digest_of(Path(bot.__file__).parent)}"


def _digest_of(package: Path) -> str:
    digest = blake2b(digest_size=4)
    for folder in _AUDIO_CODE:
        for path in sorted((package / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
