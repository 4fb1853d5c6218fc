"""Simulates an unresponsive name server: lookups of one host hang while a file exists."""

import socket
import time
from pathlib import Path
from typing import Any

GIVES_UP_AFTER_S = 20.0
"""The system's resolver tries two or three servers several times, for 5 s each."""


def block_lookups(host: str, file: Path) -> None:
    """Make this process's lookups of the host hang while the file exists, and then fail."""
    look_up = socket.getaddrinfo

    def getaddrinfo(name: Any, *arguments: Any, **more: Any) -> Any:
        if name in (host, host.encode()):
            gives_up_at = time.monotonic() + GIVES_UP_AFTER_S
            while file.exists():
                if time.monotonic() > gives_up_at:
                    raise socket.gaierror(socket.EAI_AGAIN, "no server answers")
                time.sleep(0.05)
        return look_up(name, *arguments, **more)

    socket.getaddrinfo = getaddrinfo  # type: ignore[assignment] # takes whatever it takes
