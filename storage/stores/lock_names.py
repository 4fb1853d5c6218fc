"""Names of the locks that serialise transactions which read before they write.

SQLite runs one transaction at a time. PostgreSQL runs transactions concurrently, so two of them
could spend the same last minute. Each name stands for some data. Every transaction that reads this
data to decide what to write passes the name to `Database.write`.
"""

from collections.abc import Iterable

from bot.domain.job import JobId, UserId
from bot.domain.minutes import SpendCap


def jobs_of(user_id: UserId) -> str:
    """Return the lock for the number of a user's unfinished jobs."""
    return f"jobs {user_id}"


def batches_of(user_id: UserId) -> str:
    """Return the lock for a user's open batch."""
    return f"batches {user_id}"


def account_of(user_id: UserId) -> str:
    """Return the lock for a user's minutes, including minutes from servers."""
    return f"account {user_id}"


def pool_in(guild_id: int) -> str:
    """Return the lock for the minutes in a server's pool."""
    return f"pool {guild_id}"


def rules_in(guild_id: int) -> str:
    """Return the lock for a server's rules."""
    return f"rules {guild_id}"


def spending_under(caps: Iterable[SpendCap]) -> list[str]:
    """Return the locks for the minutes that count against these caps."""
    return [f"spending {'' if cap.user_id is None else cap.user_id}" for cap in caps]


def separations_of(job_id: JobId) -> str:
    """Return the lock for a job's separations on workers."""
    return f"separations {job_id}"


def audio_places() -> str:
    """Return the lock for the places that workers have for audio tasks."""
    return "audio places"
