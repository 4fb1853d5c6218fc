"""Finds the separation worker of a bot that runs in its own process."""

from pathlib import Path

_MODULE = b"bot.engine.worker"


def worker_of(bot: int) -> int | None:
    """Return the process id of a bot's separation worker, or None if there is none."""
    for task in Path(f"/proc/{bot}/task").iterdir():
        for child in _read(task / "children").split():
            if _MODULE in _read(Path(f"/proc/{int(child)}/cmdline")):
                return int(child)
    return None


def _read(path: Path) -> bytes:
    """Return a file's content, empty if its thread or process has ended."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
