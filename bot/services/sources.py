"""Where a provider can fetch the user's file: Discord's signed address while it lives."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from bot.domain.job import Source

MARGIN = timedelta(minutes=5)
"""An address that ends sooner is not handed out: the provider may fetch late."""


def expires_at(url: str) -> datetime | None:
    """Return when a signed Discord attachment address ends (`ex`, hex seconds); None if unsaid."""
    values = parse_qs(urlsplit(url).query).get("ex", [])
    try:
        return datetime.fromtimestamp(int(values[0], 16), UTC) if values else None
    except (ValueError, OverflowError, OSError):
        return None


def address_of(source: Source, now: datetime) -> str | None:
    """Return an address that works long enough for a provider, or None."""
    ends = expires_at(source.url)
    return source.url if ends is None or ends - now > MARGIN else None
