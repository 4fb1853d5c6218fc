"""The separation worker of a bot that runs as a process of its own, found from outside."""

from pathlib import Path

_MODULE = b"bot.engine.worker"


def worker_of(bot: int) -> int | None:
    """Return the process id of a bot's separation worker, None while it has none."""
    for task in Path(f"/proc/{bot}/task").iterdir():
        for child in _read(task / "children").split():
            if _MODULE in _read(Path(f"/proc/{int(child)}/cmdline")):
                return int(child)
    return None


def _read(path: Path) -> bytes:
    """Return what stands there; nothing when thread or process ended since they were listed."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
