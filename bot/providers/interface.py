"""The interface of providers: the models that they declare and the calls that they answer.

This module contains no provider.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from pydantic import SecretStr

from bot.domain.attempt import RemoteFile, RemoteRef
from bot.domain.clock import Clock
from bot.domain.job import JobId
from bot.domain.minutes import SAMPLE_RATE
from bot.domain.recipes import Stem
from bot.net.api_client import ApiClient, Timeouts
from bot.net.downloads import Downloads
from bot.net.transport import GuardedTransport


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A task that a provider offers, and the stems that it returns.

    Plans are derived from these declarations alone (scheduling/plans.py). Order matters: a recipe
    is served by the first declared model that can make it.
    """

    name: str
    stems: frozenset[Stem]
    sums_to_song: bool = False
    """Whether the stems add up to the song, so that any output can be mixed from them."""
    sums_to_instrumental: bool = False
    """Whether the stems add up to the song without its vocals."""
    may_add: frozenset[Stem] = frozenset()
    """Stems that are returned only sometimes; if all of them are, the stems add up to the song."""
    subtractable: bool = False
    """Whether a stem can be subtracted from the song, once its delay and gain are fitted."""
    is_basic: bool = False
    """Whether the quality is below what users expect; offers of such recipes say so."""
    title: str = ""
    """The name that users read with the result; empty if they need not know it."""
    extra_spools: int = 0
    """The number of stem-sized files that the work needs in addition to its results."""

    @property
    def results(self) -> frozenset[Stem]:
        """All stems that an answer may contain."""
        return self.stems | self.may_add


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """A provider's declaration of itself; routing reads nothing else.

    The names of its settings are derived from its `name`, for example `AUDIOCLEANER_API_KEY` and
    `AUDIOCLEANER_BASE_URL`.
    """

    name: str
    """The name that users type and the database stores, like `audiocleaner`."""
    title: str
    """The name that users read, like `AudioCleaner`."""
    models: tuple[Model, ...]
    is_hosted: bool = True
    """Whether the work leaves this machine and may cost the operator money."""
    base_url: str = ""
    """The address of a hosted service, unless its setting names another."""
    is_resubmittable: bool = False
    """Whether a submit can be repeated without cost or harm; only true of in-process providers."""
    can_cancel: bool = False
    is_synchronous: bool = False
    """Whether the answer to a submit is the result itself, so that it may take minutes."""
    concurrency: int = 4
    """The number of simultaneous attempts; further jobs wait in the provider's queue."""
    poll_interval_s: float = 4.0
    gives_spools: bool = False
    """Whether `fetch` writes decoded audio, in the format of `Source.mixture`."""

    @property
    def key_setting(self) -> str:
        """The name of the setting with a hosted provider's key."""
        return f"{self._prefix}_API_KEY"

    @property
    def base_url_setting(self) -> str:
        """The name of the setting that replaces `base_url`."""
        return f"{self._prefix}_BASE_URL"

    @property
    def _prefix(self) -> str:
        return self.name.upper().replace("-", "_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The song, in the forms that providers take."""

    mixture: Path
    """The decoded song: interleaved stereo in little-endian float32 at 44.1 kHz."""
    frames: int
    url: str | None
    """An address at which a hosted provider can fetch the user's file; None if there is none."""

    @property
    def duration_s(self) -> float:
        """The length in seconds."""
        return self.frames / SAMPLE_RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A submit: the model, the job and, for a local provider, a folder to write to."""

    job_id: JobId
    attempt: int
    model: Model
    workdir: Path
    turn: int = 0
    """The job's turn in the provider's queue; lower turns come first."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider is working on the song; poll `ref`."""

    ref: RemoteRef


@dataclass(frozen=True, slots=True)
class Finished:
    """The results exist and can be fetched."""

    files: tuple[RemoteFile, ...]


@dataclass(frozen=True, slots=True)
class Running:
    """The work is not finished; `fraction` is from 0 to 1 if the provider reports it."""

    fraction: float | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The provider gave up; `refused` if the file itself is the reason."""

    detail: str
    refused: bool = False
    is_starved: bool = False
    """Whether the machine had too little memory for the song."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The provider no longer knows the reference."""


class Provider(Protocol):
    """A separation service. Adapters match by structure, and never sleep, retry or choose."""

    @property
    def capabilities(self) -> Capabilities:
        """The declared capabilities. Models and concurrency may change with time."""
        ...

    async def submit(self, call: Call, source: Source) -> Accepted | Finished:
        """Send the song, once.

        Raises SubmitUncertain if the request may have arrived, and ProviderProtocol if the answer
        cannot be understood, which also counts as uncertain. Any other ProviderError means that
        nothing was started.
        """
        ...

    async def poll(self, ref: RemoteRef) -> Running | Finished | Failed | Lost:
        """Return the status of an accepted attempt; safe to repeat. Raises ProviderError."""
        ...

    async def fetch(self, file: RemoteFile, into: Path) -> None:
        """Write one result to the file `into`; safe to repeat. Raises ProviderError."""
        ...

    async def cancel(self, ref: RemoteRef) -> None:
        """Stop an accepted attempt; called only if `can_cancel` is declared."""
        ...

    async def aclose(self) -> None:
        """Release connections and processes."""
        ...


@dataclass(frozen=True, slots=True)
class Device:
    """What a provider on this machine runs on."""

    kind: str
    """`cpu`, `cuda` ..."""
    name: str


@runtime_checkable
class HasDevice(Protocol):
    """A provider that knows what it runs on."""

    @property
    def device(self) -> Device | None:
        """What its last worker ran on; None before the first."""
        ...


def devices_of(providers: Mapping[str, Provider]) -> dict[str, Device]:
    """Return what the providers on this machine run on, where that is known."""
    known = {name: each.device for name, each in providers.items() if isinstance(each, HasDevice)}
    return {name: device for name, device in known.items() if device is not None}


@runtime_checkable
class WarmsUp(Protocol):
    """A provider that can prepare for a song before it is submitted."""

    async def warm_up(self) -> None:
        """Start preparing, without waiting for the end; safe to repeat, and never fails."""
        ...


@runtime_checkable
class TellsWhenDone(Protocol):
    """A provider that knows at once when its work on a song has ended."""

    def when_done(self, ref: RemoteRef, tell: Callable[[], None]) -> None:
        """Call `tell` once the work has ended, at once if it already has.

        It replaces any callback set earlier.
        """
        ...


@runtime_checkable
class HasWorkers(Protocol):
    """A provider whose work is done by processes that may be down for a while."""

    def has_worker_for(self, model: str) -> bool:
        """Whether a process that can run this model is running."""
        ...


@runtime_checkable
class RemembersModels(Protocol):
    """A provider whose declared models may change while it works on a song."""

    async def model_of(self, ref: RemoteRef) -> Model | None:
        """Return the model of an attempt as it was declared at the submit, if that is known.

        Raises StoreUnavailable.
        """
        ...


@runtime_checkable
class KnowsTrouble(Protocol):
    """A provider on this machine that knows when it would refuse every song."""

    def trouble_with(self, model: Model) -> str | None:
        """Return why nothing can be separated with the model at the moment; None if it can be."""
        ...


def lacks_worker(provider: Provider, model: str) -> bool:
    """Whether work with this model has to wait until a worker is started."""
    return isinstance(provider, HasWorkers) and not provider.has_worker_for(model)


class CurrentCapabilities(Iterable[Capabilities]):
    """The capabilities of the given providers, read anew on each iteration."""

    def __init__(self, providers: Iterable[Provider]) -> None:
        self._providers = tuple(providers)

    def __iter__(self) -> Iterator[Capabilities]:
        """Yield the capabilities in order of preference."""
        return (provider.capabilities for provider in self._providers)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderContext:
    """The settings and the network access with which a provider is built.

    A package adds a provider by an entry point in the group `stemcord.providers`, named after the
    provider and pointing to a `Factory`. A provider that is named in `STEMCORD_PROVIDERS` is built
    at start, after the settings were checked and before any job runs. It should use no other
    network access.
    """

    settings: Mapping[str, str] = field(repr=False)
    """Values by setting, from the environment or else from `.env`."""
    transport: GuardedTransport
    downloads: Downloads
    """Downloads with slots that all providers share; see `results`."""
    clock: Clock
    max_result_bytes: int
    """The most bytes that a result may have: more than the longest allowed song as one uncompressed
    stem."""
    on_secret: Callable[[str], None] = field(default=lambda _: None, repr=False)
    """Called with every secret that is handed out, so that the log can redact it."""

    def setting(self, name: str) -> str | None:
        """Return a setting, or None if it is missing or blank."""
        return self.settings.get(name, "").strip() or None

    def secret(self, name: str) -> SecretStr | None:
        """Return a secret setting and have the log redact it; None if it is missing or blank."""
        value = self.setting(name)
        if value is None:
            return None
        self.on_secret(value)
        return SecretStr(value)

    def api(
        self, base_url: str, *, timeouts: Timeouts | None = None, parallel: int = 8
    ) -> ApiClient:
        """Return a client for the API at `base_url`, which the operator set or left at its
        default.
        """
        return ApiClient(
            base_url=base_url,
            transport=self.transport.trusting(base_url),
            clock=self.clock,
            timeouts=timeouts,
            parallel=parallel,
        )

    def results(self, base_url: str | None = None) -> Downloads:
        """Return downloads for addresses that a service names; the provider must not close them.

        `base_url` is the service's address, if the operator's settings have one. Only a service at
        a trusted host may name trusted hosts.
        """
        return self.downloads.over(self.transport.for_addresses_of(base_url))


Factory = Callable[[ProviderContext], Provider | None]
"""Builds a provider, or returns None if its settings are missing. If it raises, the provider is
left out."""


def names(providers: Sequence[Provider]) -> tuple[str, ...]:
    """Return the providers' names, in order of preference."""
    return tuple(provider.capabilities.name for provider in providers)
