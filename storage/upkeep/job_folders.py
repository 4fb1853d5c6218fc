"""The audit's check that every folder has a job and every result has its files.

Files may be on this disk or in an object store. A bot may be running at the same time, so apparent
violations are checked a second time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bot.domain.job import JobId
from bot.domain.recipes import OUTPUTS, UNNAMED, Recipe
from storage.database.protocols import Reader, Row
from storage.files.job_files import JobFiles
from storage.upkeep import invariant_queries as sql
from storage.upkeep.finding import Finding

ListStored = Callable[[], frozenset[str]]
"""Lists the paths of jobs' objects, below the jobs' directory."""


@dataclass(frozen=True, slots=True)
class JobFolders:
    """The content of the jobs' directory and of the object store, listed before the database was
    read.
    """

    root: Path
    paths: frozenset[str]
    """Names of folders in the directory, and paths of objects."""
    list_stored: ListStored

    @classmethod
    def listed(cls, root: Path, list_stored: ListStored = frozenset) -> Self:
        """List both. A missing directory counts as empty."""
        return cls(root, _paths(root, list_stored), list_stored)

    def check(self, reader: Reader, values: Mapping[str, int | str]) -> list[Finding]:
        """Compare the directory with the jobs. Each read sees the latest commit."""
        known = {row["id"] for row in reader.rows(sql.MAY_HAVE_FILES)}
        owed = reader.rows(sql.WITH_MASTERS, values)
        strange = [each for each in self._ids(self.paths) if each not in known]
        missing = [row for row in owed if not self._has_masters(row, self.paths)]
        now = _paths(self.root, self.list_stored) if strange or missing else self.paths
        still_there = self._ids(now)
        still_owed = {row["id"] for row in reader.rows(sql.WITH_MASTERS, values)}
        return [
            Finding(
                invariant=7,
                claim="no files without a job",
                looked_at=len(self._ids(self.paths)),
                of="folders",
                offenders=tuple(sorted(each for each in strange if each in still_there)),
            ),
            Finding(
                invariant=7,
                claim="finished jobs have their stems",
                looked_at=len(owed),
                of="jobs",
                offenders=tuple(
                    row["id"]
                    for row in sorted(missing, key=lambda row: str(row["id"]))
                    if row["id"] in still_owed and not self._has_masters(row, now)
                ),
            ),
        ]

    def _ids(self, paths: frozenset[str]) -> frozenset[str]:
        return frozenset(path.split("/", 1)[0] for path in paths)

    def _has_masters(self, row: Row, paths: frozenset[str]) -> bool:
        if row["recipe"] not in set(Recipe):
            return True  # the check of the rows reports it
        where = JobFiles(self.root).of(JobId(row["id"]))
        outputs = (each.stem for each in OUTPUTS[Recipe(row["recipe"])])
        stems = UNNAMED if row["is_unnamed"] else outputs
        masters = [where.master(stem) for stem in stems]
        return all(
            path.exists() or path.relative_to(self.root).as_posix() in paths for path in masters
        )


def _paths(root: Path, list_stored: ListStored) -> frozenset[str]:
    names = (path.name for path in root.iterdir()) if root.exists() else ()
    return frozenset(names) | list_stored()
