"""Reads jobs and minutes from a bot's database while the bot is running."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sandbox.errors import Json


class Records:
    """The database in a bot's data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._database = data_dir / "stemcord.db"

    def job_id(self, answer: Json) -> str | None:
        """Return the job of an acknowledged command, if there is one."""
        found = self._column("SELECT id FROM jobs WHERE interaction_id = ?", answer)
        return found[0] if found else None

    def state(self, answer: Json) -> str | None:
        found = self._column("SELECT state FROM jobs WHERE interaction_id = ?", answer)
        return found[0] if found else None

    def moves(self, answer: Json) -> list[str]:
        """Return the kinds of a job's ledger entries, such as `hold` and `post`."""
        return self._column(
            "SELECT kind FROM ledger WHERE job_id ="
            " (SELECT id FROM jobs WHERE interaction_id = ?) ORDER BY id",
            answer,
        )

    def attempts(self, answer: Json) -> list[str]:
        """Return the states of a job's attempts, oldest first."""
        return self._column(
            "SELECT state FROM attempts WHERE job_id ="
            " (SELECT id FROM jobs WHERE interaction_id = ?) ORDER BY number",
            answer,
        )

    def story(self, answer: Json) -> list[str]:
        """Return the states that a job went through."""
        return self._column(
            "SELECT to_state FROM events WHERE job_id ="
            " (SELECT id FROM jobs WHERE interaction_id = ?) ORDER BY id",
            answer,
        )

    def turn(self, answer: Json) -> int:
        """Return a number that orders jobs by when they left the queue."""
        turns = self._column(
            "SELECT id FROM events WHERE to_state = 'submitting' AND job_id ="
            " (SELECT id FROM jobs WHERE interaction_id = ?) ORDER BY id",
            answer,
        )
        return int(turns[0])

    def unfinished(self) -> int:
        [count] = self._rows("SELECT count(*) FROM jobs WHERE NOT is_final")[0]
        return int(count)

    def jobs_by_state(self) -> dict[str, int]:
        return dict(self._rows("SELECT state, count(*) FROM jobs GROUP BY state"))

    def moves_by_kind(self) -> dict[str, int]:
        return dict(self._rows("SELECT kind, count(*) FROM ledger GROUP BY kind"))

    def _column(self, query: str, answer: Json) -> list[Any]:
        return [row[0] for row in self._rows(query, (int(answer["interaction_id"]),))]

    def _rows(self, query: str, values: Sequence[int] = ()) -> list[Any]:
        address = f"file:{self._database}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            return connection.execute(query, values).fetchall()
