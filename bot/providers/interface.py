"""What a provider is: the models it declares and the calls it answers.

No provider is implemented here.
"""

from collections.abc import Callable, Mapping, Sequence
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
    """One thing a provider can be asked to do, and the stems that come back.

    Plans are derived from these declarations alone (scheduling/plans.py). Order matters: the
    first declared model that reaches a recipe serves it.
    """

    name: str
    stems: frozenset[Stem]
    sums_to_song: bool = False
    """The stems add up to the song, so any output can be mixed from them."""
    sums_to_instrumental: bool = False
    """The stems add up to the song without its vocals."""
    may_add: frozenset[Stem] = frozenset()
    """Stems that sometimes come as well; when they all do, the stems add up to the song."""
    subtractable: bool = False
    """A stem is clean enough to be subtracted from the song, after delay and gain are fitted."""
    is_basic: bool = False
    """Quality below what users expect of the recipe; users are told where it is offered."""

    @property
    def results(self) -> frozenset[Stem]:
        """Every stem that an answer may hold."""
        return self.stems | self.may_add


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider declares about itself; routing reads nothing else.

    Its settings are named after it: `AUDIOCLEANER_API_KEY` and `AUDIOCLEANER_BASE_URL`.
    """

    name: str
    """What users type and the database stores, like `audiocleaner`."""
    title: str
    """What users read, like `AudioCleaner`."""
    models: tuple[Model, ...]
    is_hosted: bool = True
    """Work leaves this machine and may cost the operator money."""
    base_url: str = ""
    """Where a hosted service answers, unless its setting names another address."""
    is_resubmittable: bool = False
    """A submit may be repeated without cost or harm; only true of providers in this process."""
    can_cancel: bool = False
    is_synchronous: bool = False
    """The submit's answer is the result, so it may take minutes."""
    concurrency: int = 4
    """Attempts at a time; further jobs wait in its queue."""
    poll_interval_s: float = 4.0
    gives_spools: bool = False
    """What `fetch` writes is decoded already, in the format of `Source.mixture`."""

    @property
    def key_setting(self) -> str:
        """The setting that holds a hosted provider's key."""
        return f"{self._prefix}_API_KEY"

    @property
    def base_url_setting(self) -> str:
        """The setting that replaces `base_url`."""
        return f"{self._prefix}_BASE_URL"

    @property
    def _prefix(self) -> str:
        return self.name.upper().replace("-", "_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The song, in the forms a provider may take."""

    mixture: Path
    """Decoded: interleaved float32 little-endian stereo at 44.1 kHz."""
    frames: int
    url: str | None
    """Where a hosted provider can fetch the user's file; None when no address works."""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / SAMPLE_RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One submit: which model, for which job, and where a local provider may write."""

    job_id: JobId
    attempt: int
    model: Model
    workdir: Path


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider is working on it; poll `ref`."""

    ref: RemoteRef


@dataclass(frozen=True, slots=True)
class Finished:
    """The results exist and can be fetched."""

    files: tuple[RemoteFile, ...]


@dataclass(frozen=True, slots=True)
class Running:
    """Not finished; `fraction` from 0 to 1 where the provider reports it."""

    fraction: float | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The provider gave up; `refused` when this very file is the reason."""

    detail: str
    refused: bool = False
    is_starved: bool = False
    """The machine had too little memory for it."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The provider no longer knows the reference."""


class Provider(Protocol):
    """A separation service. Adapters match structurally; they neither sleep, retry nor choose."""

    @property
    def capabilities(self) -> Capabilities:
        """Its declared capabilities; constant for the object's lifetime."""
        ...

    async def submit(self, call: Call, source: Source) -> Accepted | Finished:
        """Send the song, once. Raises SubmitUncertain when the bytes may have arrived.

        An answer that cannot be understood is ProviderProtocol, and counts as uncertain too. Any
        other ProviderError means that nothing was started.
        """
        ...

    async def poll(self, ref: RemoteRef) -> Running | Finished | Failed | Lost:
        """Return the status of an accepted attempt; safe to repeat. Raises ProviderError."""
        ...

    async def fetch(self, file: RemoteFile, into: Path) -> None:
        """Write one result to the file `into`; safe to repeat. Raises ProviderError."""
        ...

    async def cancel(self, ref: RemoteRef) -> None:
        """Stop an accepted attempt; called only where `can_cancel` is declared."""
        ...

    async def aclose(self) -> None:
        """Release connections and processes."""
        ...


@runtime_checkable
class WarmsUp(Protocol):
    """A provider that can prepare for a song before it is submitted."""

    async def warm_up(self) -> None:
        """Prepare, without waiting for the end of it; safe to repeat, and never fails."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderContext:
    """What a provider is built from: its settings, and the only network access it should use.

    A package adds a provider by an entry point in the group `stemcord.providers`: its name is the
    provider's, its object a `Factory`. Once installed and named in `STEMCORD_PROVIDERS`, it is
    built at start, after the settings were checked and before any job runs.
    """

    settings: Mapping[str, str] = field(repr=False)
    """Values by setting: the environment's, else those of `.env`."""
    transport: GuardedTransport
    downloads: Downloads
    """The slots for fetching results, shared by all; see `results`."""
    clock: Clock
    max_result_bytes: int
    """More than the longest allowed song needs as one uncompressed stem."""
    on_secret: Callable[[str], None] = field(default=lambda _: None, repr=False)
    """Called with every secret handed out, so that the log can redact it."""

    def setting(self, name: str) -> str | None:
        """Return a setting; None when it is missing or blank."""
        return self.settings.get(name, "").strip() or None

    def secret(self, name: str) -> SecretStr | None:
        """Return a setting that must not be logged; None when it is missing or blank."""
        value = self.setting(name)
        if value is None:
            return None
        self.on_secret(value)
        return SecretStr(value)

    def api(
        self, base_url: str, *, timeouts: Timeouts | None = None, parallel: int = 8
    ) -> ApiClient:
        """Return a client for the API at `base_url`, which the operator set or accepts."""
        return ApiClient(
            base_url=base_url,
            transport=self.transport.trusting(base_url),
            clock=self.clock,
            timeouts=timeouts,
            parallel=parallel,
        )

    def results(self, base_url: str | None = None) -> Downloads:
        """Return downloads for the addresses that a service names; a provider does not close them.

        `base_url` is the service's address in the operator's settings, if set there. Only a service
        at a trusted host may name trusted hosts.
        """
        return self.downloads.over(self.transport.for_addresses_of(base_url))


Factory = Callable[[ProviderContext], Provider | None]
"""Builds a provider; None when its settings are missing. One that raises is left out."""


def names(providers: Sequence[Provider]) -> tuple[str, ...]:
    """Return the providers' names, in order of preference."""
    return tuple(provider.capabilities.name for provider in providers)
