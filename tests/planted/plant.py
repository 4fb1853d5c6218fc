"""A planted bug, which replaces a piece of text in one file."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """A planted bug."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def applies_to(self, root: Path) -> bool:
        """Return whether the file contains the text exactly once."""
        return (root / self.file).read_text().count(self.old) == 1

    def put_into(self, root: Path) -> None:
        """Plant the bug in the copy of the tree at `root`."""
        path = root / self.file
        path.write_text(path.read_text().replace(self.old, self.new))
