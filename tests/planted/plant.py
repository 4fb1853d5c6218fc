"""What a deliberate breakage is: one piece of text, replaced where its file holds it once."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """One breakage."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def applies_to(self, root: Path) -> bool:
        """Whether its text is there, once."""
        return (root / self.file).read_text().count(self.old) == 1

    def put_into(self, root: Path) -> None:
        """Break the copy of the tree at `root`."""
        path = root / self.file
        path.write_text(path.read_text().replace(self.old, self.new))
