"""The audit's check that every folder has a job and every result has its files.

A bot may be running meanwhile, so apparent violations are checked a second time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bot.domain.job import JobId
from bot.domain.recipes import OUTPUTS, UNNAMED, Recipe
from storage.database.protocols import Reader, Row
from storage.files.job_files import JobFiles
from storage.upkeep import invariant_queries as sql
from storage.upkeep.finding import Finding


@dataclass(frozen=True, slots=True)
class JobFolders:
    """The content of the jobs' directory, listed before the database was read."""

    root: Path
    names: tuple[str, ...]

    @classmethod
    def listed(cls, root: Path) -> Self:
        """List the directory. A missing directory counts as empty."""
        names = sorted(path.name for path in root.iterdir()) if root.exists() else []
        return cls(root, tuple(names))

    def check(self, reader: Reader, values: Mapping[str, int | str]) -> list[Finding]:
        """Compare the directory with the jobs. Each read sees the latest commit."""
        known = {row["id"] for row in reader.rows(sql.MAY_HAVE_FILES)}
        owed = reader.rows(sql.WITH_MASTERS, values)
        missing = [row["id"] for row in owed if not self._has_masters(row)]
        still_owed = {row["id"] for row in reader.rows(sql.WITH_MASTERS, values)}
        return [
            Finding(
                invariant=7,
                claim="no files without a job",
                looked_at=len(self.names),
                of="folders",
                offenders=tuple(
                    name for name in self.names if name not in known and (self.root / name).exists()
                ),
            ),
            Finding(
                invariant=7,
                claim="finished jobs have their stems",
                looked_at=len(owed),
                of="jobs",
                offenders=tuple(job_id for job_id in sorted(missing) if job_id in still_owed),
            ),
        ]

    def _has_masters(self, row: Row) -> bool:
        if row["recipe"] not in set(Recipe):
            return True  # the check of the rows reports it
        where = JobFiles(self.root).of(JobId(row["id"]))
        outputs = (each.stem for each in OUTPUTS[Recipe(row["recipe"])])
        stems = UNNAMED if row["is_unnamed"] else outputs
        return all(where.master(stem).exists() for stem in stems)
