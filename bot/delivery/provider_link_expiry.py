"""Reads the expiry time of a signed address."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from bot.net.addresses import InvalidAddress, parse_address


def ends_at(url: str) -> datetime | None:
    """Return when the address expires, or None if it has no valid expiry time."""
    try:
        fields = {name.lower(): value for name, value in parse_address(url).params.items()}
        return _cloud(fields) or _epoch(fields)
    except (InvalidAddress, ValueError, OverflowError, OSError):
        return None


def _cloud(fields: Mapping[str, str]) -> datetime | None:
    """Read a start time and a duration in seconds, which Amazon S3 and Google Cloud Storage use."""
    for vendor in ("amz", "goog"):
        begins, seconds = fields.get(f"x-{vendor}-date"), fields.get(f"x-{vendor}-expires")
        if begins and seconds:
            at = datetime.fromisoformat(begins)
            aware = at if at.tzinfo else at.replace(tzinfo=UTC)
            return aware.astimezone(UTC) + timedelta(seconds=int(seconds))
    return None


def _epoch(fields: Mapping[str, str]) -> datetime | None:
    """Read `Expires`, a Unix time in seconds, which older signatures and CDNs use."""
    return datetime.fromtimestamp(int(fields["expires"]), UTC) if "expires" in fields else None
