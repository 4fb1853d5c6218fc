"""The page's files, at addresses that change with the content, so that browsers can cache them."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

FOLDER: Final = Path(__file__).parent / "page"
DOCUMENT: Final = "index.html"
STRETCH: Final = "stretch.wasm"
_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
}
_PLACE: Final = "{assets}"
"""The placeholder in the document for the folder of its files."""


class PageAssets:
    """The page's document and files, held in memory."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = {name: body for name, body in files.items() if name != DOCUMENT}
        self.digest = _digest(files)
        self.document = files[DOCUMENT].decode().replace(_PLACE, f"../x/{self.digest}").encode()

    @classmethod
    def read(cls, *, stretch: Path | None = None, folder: Path = FOLDER) -> Self:
        """Read the page's folder, and the time stretcher if it was fetched."""
        kept = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
        if stretch is not None and stretch.is_file():
            kept[STRETCH] = stretch.read_bytes()
        return cls(kept)

    @property
    def stretch(self) -> str | None:
        """The time stretcher's address relative to the page, or None if it was not fetched."""
        return f"../x/{self.digest}/{STRETCH}" if STRETCH in self._files else None

    def find(self, digest: str, name: str) -> tuple[bytes, str] | None:
        """Return a file and its content type."""
        body = self._files.get(name) if digest == self.digest else None
        return None if body is None else (body, _TYPES[Path(name).suffix])


def _digest(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, body in sorted(files.items()):
        digest.update(f"{name}\n{len(body)}\n".encode())
        digest.update(body)
    return digest.hexdigest()[:16]
