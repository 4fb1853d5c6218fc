"""Records event loop lag; `python -m tests.chaos.lag FILE` records that of an idle loop.

The idle loop shows how busy the machine is with other work.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

GAP_S = 0.01


async def note_lag(file: Path) -> None:
    """Append the loop's lags in milliseconds to the file, once a second."""
    late_ms: list[str] = []
    with file.open("a") as notes:
        while True:
            due = time.monotonic() + GAP_S
            await asyncio.sleep(GAP_S)
            late_ms.append(f"{(time.monotonic() - due) * 1000:.2f}")
            if len(late_ms) * GAP_S >= 1.0:
                notes.write("\n".join(late_ms) + "\n")
                notes.flush()
                late_ms.clear()


def lag_ms(file: Path) -> list[float]:
    """Return the lags recorded so far."""
    return [float(line) for line in file.read_text().split()] if file.exists() else []


@asynccontextmanager
async def idle_beside(file: Path) -> AsyncIterator[None]:
    """Run a process with an idle loop for the duration of the block."""
    beside = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, str(file))
    try:
        yield
    finally:
        beside.kill()
        await beside.wait()


if __name__ == "__main__":
    asyncio.run(note_lag(Path(sys.argv[1])))
