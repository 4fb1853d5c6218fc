"""The engine's worker: a process that loads one network and separates songs until told to stop.

Started by bot.engine.engine as `python -m bot.engine.worker MODEL WEIGHTS --threads N`; reads
requests from standard input, a socket, and ends when that closes. An unexpected error ends it with
a traceback on standard error; the engine then starts another.

It is confined for its whole life: the only file that it may open is the model's. Songs and stems
arrive open with each request, so it has access to no others.
"""

import argparse
import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, BinaryIO

from bot.domain.errors import DISK_FULL
from bot.engine.model_catalogue import MODELS, DamagedModel
from bot.engine.protocol import (
    Cancel,
    Cancelled,
    Done,
    Failed,
    Progress,
    Reply,
    Request,
    Separate,
    SeparationFault,
)
from bot.engine.worker.spool_io import SpoolMismatch
from bot.processes import ipc
from bot.processes.confinement import Reach, confine
from bot.processes.descriptors import Files, Receiver
from bot.processes.kernel import die_with_parent
from bot.processes.limits import come_last

if TYPE_CHECKING:
    from bot.engine.worker.separation import Separator

_PROGRESS_EVERY_S = 0.25


class _CalledOff(Exception):
    """The engine no longer wants the current separation."""


@dataclass(frozen=True, slots=True)
class Order:
    """A request with the files that came with it."""

    request: Separate
    files: Files


class Inbox:
    """Reads the engine's requests on its own thread, so that a cancel arrives during work."""

    def __init__(self, receiver: Receiver, *, files: int) -> None:
        self._receiver = receiver
        self._files = files
        self._orders: SimpleQueue[Order | None] = SimpleQueue()
        self._called_off_up_to = 0
        self._is_closed = False

    def open(self) -> None:
        """Start listening."""
        threading.Thread(target=self._listen, name="inbox", daemon=True).start()

    def next(self) -> Order | None:
        """Wait for a request; None once the engine has closed its end."""
        return self._orders.get()

    def is_called_off(self, request: Separate) -> bool:
        """Return whether the request's result is still wanted."""
        return self._is_closed or request.id <= self._called_off_up_to

    def _listen(self) -> None:
        try:
            for line in self._receiver:
                self._take(ipc.decode(line, Request))
        finally:
            self._is_closed = True
            self._orders.put(None)

    def _take(self, request: Request) -> None:
        match request:
            case Separate():
                self._orders.put(Order(request, self._receiver.take_files(self._files)))
            case Cancel(id=id_):
                self._called_off_up_to = id_


class Worker:
    """Serves one request after the other."""

    def __init__(
        self, *, model: str, weights: Path, threads: int, inbox: Inbox, outbox: BinaryIO
    ) -> None:
        self._model = MODELS[model]
        self._weights = weights
        self._threads = threads
        self._inbox = inbox
        self._outbox = outbox
        self._separator: Separator | None = None
        self._next_progress_at = 0.0

    def run(self) -> None:
        """Work until the engine closes its end."""
        while (order := self._inbox.next()) is not None:
            with order.files as files:
                reply = self._serve(order.request, files)
            self._say(reply)

    def _serve(self, request: Separate, files: Files) -> Reply:
        try:
            return self._separate(request, files)
        except _CalledOff:
            return Cancelled(id=request.id)
        except SpoolMismatch as exc:
            return _failed(request, SeparationFault.MIXTURE, exc)
        except DamagedModel as exc:
            return _failed(request, SeparationFault.MODEL, exc)
        except MemoryError as exc:
            return _failed(request, SeparationFault.MEMORY, exc)
        except OSError as exc:
            if exc.errno not in DISK_FULL:
                raise
            return _failed(request, SeparationFault.DISK_FULL, exc)

    def _separate(self, request: Separate, files: Files) -> Done:
        self._next_progress_at = 0.0
        report = partial(self._report, request)
        report(0.0)
        mixture, *places = files.descriptors
        self._loaded().separate(
            mixture,
            frames=request.frames,
            stems=request.stems,
            into=dict(zip(sorted(self._model.stems), places, strict=True)),
            report=report,
        )
        return Done(id=request.id)

    def _loaded(self) -> "Separator":
        # The runtime starts a thread when it is loaded, which is too late to confine it.
        from bot.engine.worker.separation import Separator, steps_of

        if self._separator is None:
            steps = steps_of(self._model, self._weights, threads=self._threads)
            self._separator = Separator(steps)
        return self._separator

    def _report(self, request: Separate, fraction: float) -> None:
        """Report the fraction done, unless just reported; raises if the work was cancelled."""
        if self._inbox.is_called_off(request):
            raise _CalledOff
        now = time.monotonic()
        if now >= self._next_progress_at:
            self._next_progress_at = now + _PROGRESS_EVERY_S
            self._say(Progress(id=request.id, fraction=round(fraction, 4)))

    def _say(self, reply: Reply) -> None:
        self._outbox.write(ipc.encode(reply))
        self._outbox.flush()


def _failed(request: Separate, trouble: SeparationFault, cause: BaseException) -> Failed:
    return Failed(id=request.id, trouble=trouble, detail=str(cause))


def _claim_stdout() -> BinaryIO:
    """Keep standard output for replies; what libraries print goes to standard error."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return replies


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the engine that started this process."""
    parser = argparse.ArgumentParser(prog="bot.engine.worker", description=__doc__)
    parser.add_argument("model", choices=sorted(MODELS))
    parser.add_argument("weights", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args(arguments)
    die_with_parent()
    come_last()
    confine(Reach(readable=(options.weights,)))
    inbox = Inbox(Receiver(), files=1 + len(MODELS[options.model].stems))
    inbox.open()
    with _claim_stdout() as outbox:
        Worker(**vars(options), inbox=inbox, outbox=outbox).run()


if __name__ == "__main__":
    main()
