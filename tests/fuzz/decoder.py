"""Decodes files like an audio child and within its limits, but one after another.

Run it as `python -m tests.fuzz.decoder FOLDER SECONDS`. It reads file names and writes outcomes as
JSON lines. Opening anything except the file and its spool counts as an offence.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bot.audio.child.decoding.decode import decode
from bot.audio.spool import FRAME_BYTES, SAMPLE_RATE
from bot.audio.tasks import DecodeTask, part_of
from bot.domain.errors import Rejected
from bot.processes.kernel import die_with_parent
from tests.support import audio_files

_WATCHED = ("open", "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system")


class Watch:
    """Records everything opened outside the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._offences: list[str] = []
        sys.addaudithook(self._note)

    def offences(self) -> list[str]:
        """Return the offences since the last call."""
        noted, self._offences = self._offences, []
        return noted

    def _note(self, event: str, details: tuple[Any, ...]) -> None:
        if event in _WATCHED and not str(details[0]).startswith(self._folder):
            self._offences.append(f"{event} {details[0]}")


def told_of(source: Path, spool: Path, max_frames: int) -> dict[str, Any]:
    """Decode a file and return the outcome."""
    try:
        decoded = decode(DecodeTask(source=source, into=spool, max_frames=max_frames))
    except Rejected as exc:
        return {"reason": exc.problem.reason}
    except Exception as exc:  # noqa: BLE001 - whatever else it was is what is looked for
        return {"bug": f"{type(exc).__name__}: {exc}"}
    written = spool.stat().st_size // FRAME_BYTES
    return {"frames": decoded.frames, "is_billed_right": decoded.frames == written <= max_frames}


def main(folder: Path, seconds: float) -> None:
    """Decode the files named on standard input."""
    die_with_parent()
    spool, max_frames = folder / "spool.f32", int(seconds * SAMPLE_RATE)
    task = DecodeTask(source=folder / "none", into=spool, max_frames=max_frames)
    task.budget.apply()
    told_of(audio_files.write(folder / "whole.wav", "wav", "pcm_s16le"), spool, max_frames)
    watch = Watch(folder)  # starts after every library is loaded
    for name in _lines():
        told = told_of(folder / name, spool, max_frames)
        offences = watch.offences()
        for path in (spool, part_of(spool)):
            path.unlink(missing_ok=True)
        print(json.dumps(told | {"offences": offences}), flush=True)


def _lines() -> Iterator[str]:
    for line in sys.stdin:
        yield line.strip()


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
