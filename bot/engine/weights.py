"""Finds, checks and installs the files of a model in the models directory.

Fetching and converting are in model_install.py; this module needs the standard library only.
"""

import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bot.domain.errors import ModelUnavailable
from bot.engine.model_declaration import PinnedFile
from storage.files.atomic import move_into_place, write_text

_TEMPORARY = ".fetch-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The manifest next to a model's file: what the file was made from, and its hash."""

    model: str
    source: str
    source_hash: str
    format: int
    size_bytes: int
    sha256: str


class Weights:
    """The file of one model, with its manifest and its licence notice."""

    def __init__(self, model: PinnedFile, models_dir: Path) -> None:
        self.model = model
        self.path = models_dir / model.file_name
        self._dir = models_dir
        self._manifest_path = models_dir / model.manifest_name

    def is_present(self) -> bool:
        """Whether the file is there with the right version and size; a cheap check."""
        manifest = self._read_manifest()
        try:
            return manifest is not None and self.path.stat().st_size == manifest.size_bytes
        except OSError:
            return False

    def require(self) -> Path:
        """Return the file's path; raises ModelUnavailable with advice for the operator."""
        if self.is_present():
            return self.path
        if self.path.exists():
            raise ModelUnavailable(
                f"{self.path} is incomplete, or belongs to another version of {self.model.title}. "
                "`python -m bot models` fetches it again."
            )
        raise ModelUnavailable(
            f"{self.model.title} is not in {self._dir}. `python -m bot models` fetches it."
        )

    def verify(self) -> None:
        """Hash the whole file; raises ModelUnavailable unless it is the one that was installed."""
        path, manifest = self.require(), self._read_manifest()
        if manifest is None or sha256_of(path) != manifest.sha256:
            raise ModelUnavailable(
                f"{self.path} is damaged. Delete it; `python -m bot models` fetches it again."
            )

    def install(self, made: Path, *, notice: str) -> None:
        """Move a finished file and its manifest into place; the file must be on the same disk.

        The manifest comes last, and a file without one counts as absent. A crash therefore leaves a
        complete model or none.
        """
        self._manifest_path.unlink(missing_ok=True)
        write_text(self._dir / self.model.notice_name, notice)
        manifest = self._manifest_of(made)
        move_into_place(made, self.path)
        write_text(self._manifest_path, json.dumps(asdict(manifest), indent=2) + "\n")

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """Lock the models directory for this process and provide an empty directory in it."""
        self._dir.mkdir(parents=True, exist_ok=True)
        with (self._dir / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for left_behind in self._dir.glob(f"{_TEMPORARY}*"):
                shutil.rmtree(left_behind)
            place = self._dir / f"{_TEMPORARY}{self.model.name}"
            place.mkdir()
            try:
                yield place
            finally:
                shutil.rmtree(place)

    def _manifest_of(self, made: Path) -> Manifest:
        return Manifest(
            model=self.model.name,
            source=self.model.source.label,
            source_hash=self.model.source.archive_hash,
            format=self.model.format,
            size_bytes=made.stat().st_size,
            sha256=sha256_of(made),
        )

    def _read_manifest(self) -> Manifest | None:
        """Return the manifest, or None if it is missing or does not match the pinned model."""
        try:
            manifest = Manifest(**json.loads(self._manifest_path.read_text()))
        except (OSError, ValueError, TypeError):
            return None
        made_from = (manifest.source_hash, manifest.format)
        wanted = (self.model.source.archive_hash, self.model.format)
        return manifest if made_from == wanted else None


def sha256_of(path: Path) -> str:
    """Return the file's SHA-256 digest in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
