"""When a signed address ends, as far as the address says."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit


def ends_at(url: str) -> datetime | None:
    """Return when the address ends, by the ways of signing that are common; None if unsaid."""
    fields = dict(parse_qsl(urlsplit(url).query))
    lowered = {name.lower(): value for name, value in fields.items()}
    try:
        return _cloud(lowered) or _epoch(lowered)
    except (ValueError, OverflowError, OSError):
        return None


def _cloud(fields: Mapping[str, str]) -> datetime | None:
    """Read a date and the seconds from then on, as Amazon's and Google's stores sign."""
    for vendor in ("amz", "goog"):
        begins, seconds = fields.get(f"x-{vendor}-date"), fields.get(f"x-{vendor}-expires")
        if begins and seconds:
            return datetime.fromisoformat(begins) + timedelta(seconds=int(seconds))
    return None


def _epoch(fields: Mapping[str, str]) -> datetime | None:
    """Read `Expires`, in seconds, as older signatures and content networks have it."""
    return datetime.fromtimestamp(int(fields["expires"]), UTC) if "expires" in fields else None
