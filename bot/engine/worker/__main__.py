"""The engine's worker process: loads one network and separates songs until told to stop.

bot.engine.engine starts it as `python -m bot.engine.worker MODEL WEIGHTS --threads N`. It reads
requests from standard input, a socket, and exits when that closes. An unexpected error ends it with
a traceback on standard error, and the engine then starts another.

The process is confined from its start: the only file that it may open is the model's. Songs and
stems arrive as open files with each request.
"""

import argparse
import os
import platform
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, BinaryIO

from bot.domain.errors import DISK_FULL
from bot.engine.model_catalogue import MODELS
from bot.engine.model_declaration import DamagedModel
from bot.engine.protocol import (
    ALIVE_EVERY_S,
    PROTOCOL,
    Alive,
    Cancel,
    Cancelled,
    Done,
    Failed,
    Progress,
    Ready,
    Reply,
    Request,
    Separate,
    SeparationFault,
    ServedModel,
)
from bot.engine.worker.heartbeat import heartbeat
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
    """Reads the engine's requests on a thread, so that a cancellation arrives during work."""

    def __init__(self, receiver: Receiver, *, files: int) -> None:
        self._receiver = receiver
        self._files = files
        self._orders: SimpleQueue[Order | None] = SimpleQueue()
        self._called_off_up_to = 0
        self._is_closed = False

    def open(self) -> None:
        """Start the reading thread."""
        threading.Thread(target=self._listen, name="inbox", daemon=True).start()

    def next(self) -> Order | None:
        """Wait for a request; return None once the engine has closed its end."""
        return self._orders.get()

    def is_called_off(self, request: Separate) -> bool:
        """Whether the engine has cancelled the request or closed its end."""
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
    """Serves requests one after the other."""

    def __init__(
        self,
        *,
        model: str,
        weights: Path,
        threads: int,
        alive_every_s: float,
        has_gpu: bool,
        is_proved: bool,
        inbox: Inbox,
        outbox: BinaryIO,
    ) -> None:
        self._model = MODELS[model]
        self._weights = weights
        self._threads = threads
        self._alive_every_s = alive_every_s
        self._has_gpu = has_gpu
        self._is_proved = is_proved
        self._provider: str | None = None
        self._inbox = inbox
        self._outbox = outbox
        self._outbox_turn = threading.Lock()
        self._separator: Separator | None = None
        self._next_progress_at = 0.0

    def run(self) -> None:
        """Work until the engine closes its end.

        The model is loaded before the first song arrives, since that song may still be decoding.
        """
        self._say(self._ready())
        # The first song's reply reports an error.
        with self._alive(), suppress(DamagedModel, MemoryError, OSError):
            self._loaded()
        while (order := self._inbox.next()) is not None:
            with self._alive(), order.files as files:
                reply = self._serve(order.request, files)
            self._say(reply)

    def _ready(self) -> Ready:
        model = self._model
        device, name, note = self._device()
        return Ready(
            protocol=PROTOCOL,
            device=device,
            device_name=name,
            device_note=note,
            memory_free=os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
            models=(
                ServedModel(
                    name=model.name,
                    stems=tuple(sorted(model.stems)),
                    sums=True,
                    licence=model.licence,
                ),
            ),
            missing=(),
        )

    def _device(self) -> tuple[str, str, str]:
        """Return the kind and the name of the device, and why it is not a graphics card."""
        cpu = platform.machine()
        if not self._has_gpu:
            return "cpu", cpu, ""
        from bot.engine.worker.device_proof import device_name, find_device

        try:
            found = find_device(self._weights, threads=self._threads, is_proved=self._is_proved)
        except (DamagedModel, MemoryError, OSError) as exc:
            return "cpu", cpu, str(exc)
        self._provider = found.provider
        return found.kind, cpu if found.provider is None else device_name(), found.note

    def _alive(self) -> AbstractContextManager[None]:
        return heartbeat(partial(self._say, Alive()), every_s=self._alive_every_s)

    def _serve(self, request: Separate, files: Files) -> Reply:
        if request.model != self._model.name:
            return _failed(request, SeparationFault.MODEL, f"this worker has no {request.model}")
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
        # Imported late, because the runtime starts a thread when loaded and confining must come
        # first.
        from bot.engine.worker.separation import Separator, steps_of

        if self._separator is None:
            steps = steps_of(
                self._model, self._weights, threads=self._threads, provider=self._provider
            )
            self._separator = Separator(steps)
        return self._separator

    def _report(self, request: Separate, fraction: float) -> None:
        """Report the fraction done, at most a few times a second.

        Raises _CalledOff if the engine no longer wants the result.
        """
        if self._inbox.is_called_off(request):
            raise _CalledOff
        now = time.monotonic()
        if now >= self._next_progress_at:
            self._next_progress_at = now + _PROGRESS_EVERY_S
            self._say(Progress(id=request.id, fraction=round(fraction, 4)))

    def _say(self, reply: Reply) -> None:
        with self._outbox_turn:
            self._outbox.write(ipc.encode(reply))
            self._outbox.flush()


def _failed(request: Separate, trouble: SeparationFault, cause: BaseException | str) -> Failed:
    return Failed(id=request.id, trouble=trouble, detail=str(cause))


def _claim_stdout() -> BinaryIO:
    """Reserve standard output for replies; anything that libraries print goes to standard error."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return replies


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the engine that started this process."""
    parser = argparse.ArgumentParser(prog="bot.engine.worker", description=__doc__)
    parser.add_argument("model", choices=sorted(MODELS))
    parser.add_argument("weights", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--alive-every-s", type=float, default=ALIVE_EVERY_S)
    parser.add_argument("--gpu", dest="has_gpu", action="store_true")
    parser.add_argument("--proved", dest="is_proved", action="store_true")
    parser.add_argument("--cache", type=Path)
    options = parser.parse_args(arguments)
    die_with_parent()
    come_last()
    cache = options.__dict__.pop("cache")
    confine(
        Reach(
            readable=(options.weights,),
            caches=() if cache is None else (cache,),
            has_gpu=options.has_gpu,
        )
    )
    inbox = Inbox(Receiver(), files=1 + len(MODELS[options.model].stems))
    inbox.open()
    with _claim_stdout() as outbox:
        Worker(**vars(options), inbox=inbox, outbox=outbox).run()


if __name__ == "__main__":
    main()
