"""When a signed address expires, if it says; malformed values count as absent."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from bot.net.addresses import InvalidAddress, parse_address


def ends_at(url: str) -> datetime | None:
    """Return when the address expires, by the common signing schemes; None if it does not say."""
    try:
        fields = {name.lower(): value for name, value in parse_address(url).params.items()}
        return _cloud(fields) or _epoch(fields)
    except (InvalidAddress, ValueError, OverflowError, OSError):
        return None


def _cloud(fields: Mapping[str, str]) -> datetime | None:
    """Read a date and the seconds from then on, as Amazon's and Google's stores sign."""
    for vendor in ("amz", "goog"):
        begins, seconds = fields.get(f"x-{vendor}-date"), fields.get(f"x-{vendor}-expires")
        if begins and seconds:
            at = datetime.fromisoformat(begins)
            aware = at if at.tzinfo else at.replace(tzinfo=UTC)
            return aware.astimezone(UTC) + timedelta(seconds=int(seconds))
    return None


def _epoch(fields: Mapping[str, str]) -> datetime | None:
    """Read `Expires`, in seconds, as used by older signatures and CDNs."""
    return datetime.fromtimestamp(int(fields["expires"]), UTC) if "expires" in fields else None
