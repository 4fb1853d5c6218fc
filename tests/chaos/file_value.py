"""A number in a file, with which a scene controls a running bot."""

import time
from pathlib import Path

RELOAD_EVERY_S = 0.05


class FileValue:
    """Caches the number for a short time, because the bot asks thousands of times a second."""

    def __init__(self, file: Path, *, default: float = 0.0) -> None:
        self._file = file
        self._default = self._value = default
        self._reload_at = 0.0

    def read(self) -> float:
        """Return the number in the file, or the default if there is no file."""
        if time.monotonic() >= self._reload_at:
            self._reload_at = time.monotonic() + RELOAD_EVERY_S
            self._value = float(self._file.read_text()) if self._file.exists() else self._default
        return self._value


def put(file: Path, value: float) -> None:
    """Set the number atomically."""
    fresh = file.with_suffix(".new")
    fresh.write_text(str(value))
    fresh.replace(file)
