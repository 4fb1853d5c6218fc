"""Reads and checks the studio's catalogue: networks with their files, and models made from them.

The worker reads the same file, and trusts that it was checked here.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.domain.recipes import Stem
from bot.engine.studio import studio_worker

FOLDER = "studio"
"""The folder of the networks' files, in the models' folder."""
SHIPPED = Path(__file__).with_name("models.toml")
_KINDS = frozenset({*studio_worker.ROFORMERS, "gain"})
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_STALL_S = {"cpu": 900.0}
_GPU_STALL_S = 180.0


class DamagedCatalogue(ValueError):
    """A catalogue contradicts itself or lacks something; the text is for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFile:
    """One file of a network, which is fetched by its address and known by its hash."""

    path: Path
    address: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Weights with their licence, and the files that hold them."""

    name: str
    title: str
    licence: str
    notice: str
    memory_mib: int
    files: tuple[NetworkFile, ...]

    @property
    def size_bytes(self) -> int:
        """The size of all files together."""
        return sum(file.size_bytes for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudioModel:
    """One or more networks in sequence, and the stems that they produce."""

    name: str
    title: str
    stems: frozenset[Stem]
    spools: frozenset[Stem]
    sums: bool
    networks: tuple[Network, ...]
    stall_s: float = _STALL_S["cpu"]

    @property
    def licence(self) -> str:
        """The licences of its networks, in a few words."""
        return "; ".join(dict.fromkeys(network.licence for network in self.networks))

    @property
    def memory_mib(self) -> int:
        """The estimated memory of its largest network."""
        return max(network.memory_mib for network in self.networks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """A checked catalogue."""

    path: Path
    folder: Path
    models: tuple[StudioModel, ...]

    def accepted(self, names: Sequence[str]) -> tuple[StudioModel, ...]:
        """Return the models that the operator has accepted, in the catalogue's order."""
        return tuple(model for model in self.models if model.name in names)


def stall_s_on(device: str) -> float:
    """Return how long a model may take for one chunk on a kind of device."""
    return _STALL_S.get(device, _GPU_STALL_S)


def read_catalogue(models_dir: Path) -> Catalogue:
    """Read the operator's catalogue, or else the one that comes with the bot.

    Raises DamagedCatalogue.
    """
    folder = models_dir / FOLDER
    own = folder / SHIPPED.name
    path = own if own.exists() else SHIPPED
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        return _catalogue(told, path, folder)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, DamagedCatalogue) as exc:
        raise DamagedCatalogue(f"{path}: {exc}") from exc
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as exc:
        raise DamagedCatalogue(f"{path}: {type(exc).__name__} {exc}") from exc


def _catalogue(told: Mapping[str, Any], path: Path, folder: Path) -> Catalogue:
    entries = {entry["name"]: entry for entry in told["network"]}
    _require(len(entries) == len(told["network"]), "two networks have the same name")
    networks = {name: _network(entry, folder) for name, entry in entries.items()}
    models = tuple(_model(each, entries, networks) for each in told["model"])
    names = {model.name for model in models}
    _require(len(names) == len(models), "two models have the same name")
    return Catalogue(path=path, folder=folder, models=models)


def _network(entry: Mapping[str, Any], folder: Path) -> Network:
    name = entry["name"]
    _require(bool(_NAME.fullmatch(name)), f"{name!r} is no name for a network")
    _require(entry["kind"] in _KINDS, f"{name} is of an unknown kind, {entry['kind']}")
    _require(entry["kind"] == "gain" or "config" in entry, f"{name} has no config")
    _require(isinstance(entry["memory_mib"], int), f"{name} does not say its memory_mib")
    parts = [part for part in ("checkpoint", "config") if part in entry]
    return Network(
        name=name,
        title=entry["title"],
        licence=entry["licence"],
        notice=entry["notice"].strip(),
        memory_mib=entry["memory_mib"],
        files=tuple(_file(entry, part, folder) for part in parts),
    )


def _file(entry: Mapping[str, Any], part: str, folder: Path) -> NetworkFile:
    told = entry[part]
    what = f"the {part} of {entry['name']}"
    _require(bool(_SHA256.fullmatch(told["sha256"])), f"{what} has no sha256")
    _require(isinstance(told["size_bytes"], int) and told["size_bytes"] > 0, f"{what} has no size")
    return NetworkFile(
        path=studio_worker.file_of(folder, entry, part),
        address=told["address"],
        size_bytes=told["size_bytes"],
        sha256=told["sha256"],
    )


def _model(
    told: Mapping[str, Any], entries: Mapping[str, Any], networks: Mapping[str, Network]
) -> StudioModel:
    name = told["name"]
    _require(bool(_NAME.fullmatch(name)), f"{name!r} is no name for a model")
    known = _signals(told, entries)
    formulas = told.get("formulas", {})
    for stem in told["stems"]:
        parts = studio_worker.formula(formulas[stem]) if stem in formulas else {stem: 1}
        unknown = parts.keys() - known
        _require(not unknown, f"{name} cannot make {stem}: nothing gives {', '.join(unknown)}")
    _require(formulas.keys() <= set(told["stems"]), f"{name} has a formula for no stem of its own")
    return StudioModel(
        name=name,
        title=told["title"],
        stems=frozenset(map(Stem, told["stems"])),
        spools=frozenset(map(Stem, studio_worker.spools(told, entries))),
        sums=studio_worker.sums_to_song(told),
        networks=tuple(networks[step["network"]] for step in told["steps"]),
    )


def _signals(told: Mapping[str, Any], entries: Mapping[str, Any]) -> set[str]:
    """Return the names of the song and of everything that a model's steps make."""
    known = {studio_worker.SONG}
    _require(bool(told["steps"]), f"{told['name']} has no steps")
    for step in told["steps"]:
        _require(step["network"] in entries, f"there is no network {step['network']}")
        _require(step["of"] in known, f"{told['name']}: no earlier step gives {step['of']}")
        made = set(entries[step["network"]]["outputs"].values())
        _require(not made & known, f"{told['name']} makes {', '.join(made & known)} twice")
        known |= made
    return known


def _require(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise DamagedCatalogue(otherwise)
