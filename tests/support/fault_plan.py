"""Faults that may affect one step of a job, and the states to which it may then lead."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bot.delivery.port import Delivered, Refused, ReplyUnavailable
from bot.domain.attempt import RemoteFile
from bot.domain.errors import (
    ProviderAuth,
    ProviderBusy,
    ProviderDown,
    ProviderError,
    ProviderProtocol,
    ProviderQuotaSpent,
    ProviderRefused,
    Reason,
    Rejected,
    SubmitUncertain,
)
from bot.domain.job import State
from bot.domain.recipes import AudioFormat
from bot.net.downloads import DownloadFailed, DownloadRefused
from bot.providers.interface import Accepted, Call, Failed, Finished, Lost, Running, Source
from tests.support.fakes import FakeProvider, PollAnswer
from tests.support.harness import Harness


class Pause(asyncio.Event):
    """Pauses a step at its external call until set."""

    is_reached = False

    async def wait(self) -> Literal[True]:
        self.is_reached = True
        return await super().wait()


class Vendor(FakeProvider):
    """A provider that counts, across restarts, how often each song really reached it."""

    def __init__(self, name: str, **declared: object) -> None:
        super().__init__(name, concurrency=2, **declared)
        self.sent: Counter[str] = Counter()
        self.loses_results = False

    async def submit(self, call: Call, source: Source) -> Accepted | Finished:
        self.sent[call.job_id] += 1
        try:
            return await super().submit(call, source)
        except (ProviderBusy, ProviderDown):
            self.sent[call.job_id] -= 1
            raise

    async def fetch(self, file: RemoteFile, into: Path) -> None:
        if self.loses_results:
            raise ProviderDown
        await super().fetch(file, into)


Vendors = tuple[Vendor, ...]
Befall = Callable[[Harness, Vendors], None]


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """A fault, or the lack of one, during a step."""

    name: str
    leads_to: frozenset[State]
    befall: Befall
    is_good: bool = False

    def __repr__(self) -> str:
        return self.name


def heal(harness: Harness, vendors: Vendors) -> None:
    """Remove all faults."""
    harness.downloads.gate, harness.downloads.errors = None, []
    harness.audio.decode_error = None
    harness.delivery.answers, harness.audio.bytes_at = [], {}
    for vendor in vendors:
        vendor.on_submit, vendor.on_poll, vendor.loses_results = [], [], False
        vendor.gate = None


def _luck(name: str, befall: Befall, *leads_to: State, is_good: bool = False) -> FaultPlan:
    return FaultPlan(name, frozenset(leads_to), befall, is_good)


def _good(*leads_to: State) -> FaultPlan:
    return _luck("good", heal, *leads_to, is_good=True)


def _download(error: Exception) -> Befall:
    return lambda harness, _: harness.downloads.errors.append(error)


def _decode(error: Exception) -> Befall:
    def befall(harness: Harness, _: Vendors) -> None:
        harness.audio.decode_error = error

    return befall


_WAITING = (State.HELD, State.SUBMITTING, State.FAILED)


def _submit_error(error: ProviderError) -> FaultPlan:
    def befall(_: Harness, vendors: Vendors) -> None:
        for vendor in vendors:
            vendor.on_submit = [error]

    return _luck(type(error).__name__, befall, *_WAITING)


def _at_once(_: Harness, vendors: Vendors) -> None:
    for vendor in vendors:
        vendor.on_submit = [vendor.finishes()]


def _polled(answer: PollAnswer) -> Befall:
    def befall(_: Harness, vendors: Vendors) -> None:
        for vendor in vendors:
            vendor.on_poll = [answer]

    return befall


def _half(_: Harness, vendors: Vendors) -> None:
    for vendor in vendors:
        vendor.on_poll = [Finished(vendor.finishes().files[:1])]


def _not_brought(_: Harness, vendors: Vendors) -> None:
    for vendor in vendors:
        vendor.loses_results = True


def _handed_over(answer: Delivered | Refused | Exception) -> Befall:
    return lambda harness, _: harness.delivery.answers.append(answer)


def _fits_nowhere(harness: Harness, _: Vendors) -> None:
    harness.audio.bytes_at = dict.fromkeys(AudioFormat, 2**40)


# Results already announced by a provider are fetched regardless of its current answers.
_BACK_OR_ON = (State.PROCESSING, State.SUBMITTING, State.READY)
_SENDING = (
    _good(State.PROCESSING, *_WAITING),
    _luck("at once", _at_once, State.PROCESSING, *_WAITING, is_good=True),
    _submit_error(ProviderBusy(retry_after_s=20)),
    _submit_error(ProviderDown()),
    _submit_error(ProviderAuth()),
    _submit_error(ProviderQuotaSpent()),
    _submit_error(ProviderProtocol()),
    _submit_error(ProviderRefused()),
    _submit_error(SubmitUncertain()),
)

LUCK: dict[State, tuple[FaultPlan, ...]] = {
    State.RECEIVED: (
        _good(State.HELD),
        _luck("not now", _download(DownloadFailed()), State.RECEIVED, State.FAILED),
        _luck("gone", _download(DownloadRefused("")), State.FAILED),
        _luck("broken", _decode(Rejected(Reason.BROKEN_FILE)), State.FAILED),
        _luck("a bug", _decode(RuntimeError("a bug")), State.RECEIVED),
    ),
    State.HELD: _SENDING,
    State.SUBMITTING: _SENDING,
    State.PROCESSING: (
        _good(State.READY),
        _luck("running", _polled(Running(0.5)), *_BACK_OR_ON, is_good=True),
        _luck("unreachable", _polled(ProviderDown()), *_BACK_OR_ON),
        _luck("failed", _polled(Failed("broken")), *_BACK_OR_ON),
        _luck("lost", _polled(Lost()), *_BACK_OR_ON),
        _luck("half", _half, *_BACK_OR_ON),
        _luck("not brought", _not_brought, State.PROCESSING, State.SUBMITTING),
    ),
    State.READY: (
        _good(State.DELIVERED),
        _luck("later", _handed_over(ReplyUnavailable()), State.READY, is_good=True),
        _luck("refused", _handed_over(Refused("")), State.KEPT),
        _luck("too large", _handed_over(Refused("", too_large=True)), State.READY, State.KEPT),
        _luck("no form", _fits_nowhere, State.KEPT),
    ),
}
"""The fault plans for each state from which a job can be stepped, the fault-free one first."""
