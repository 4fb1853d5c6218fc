"""Logging set-up: two formats on standard error, both redacted.

Only the command line imports this; all other code uses `logging.getLogger(__name__)`.
"""

import json
import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Literal

from bot.domain.backoff import Reminders

REDACTED: Final = "[redacted]"
MAX_TEXT: Final = 8_000
"""Longer texts are cut to this many characters: other libraries log long text from users."""
MAX_TRACEBACK: Final = 64_000
_CUT: Final = " … ({:,} characters more)"

_PATTERNS: Final = (
    # An interaction token allows anyone to write as the bot for 15 minutes.
    (re.compile(r"(/(?:webhooks|interactions)/\d+/)[^/?\s\"']+"), rf"\1{REDACTED}"),
    (re.compile(r"\baW50ZXJhY3Rpb24[\w+/=-]+"), REDACTED),
    # The middle part of one of our own links is enough to fetch the file.
    (re.compile(r"(/[rs]/[a-z0-9]{1,32}\.)[\w-]{16,}"), rf"\1{REDACTED}"),
    # Attachment and result addresses carry a signature in their query. The path matches
    # possessively and cannot contain another address, so that matching takes linear time.
    (
        re.compile(r"((?:https?|wss?)://(?:(?!(?:https?|wss?)://)[^\s?#\"'<>])++\?)[^\s\"'<>]+"),
        rf"\1{REDACTED}",
    ),
    (
        re.compile(
            r"([?&](?:ex|is|hm|sig|signature|token|key|api_key|expires|X-(?:Amz|Goog)-[\w-]+)=)"
            r"[^&\s\"'<>]+",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"(\b\w+://)[^\s/@\"']+@"), rf"\1{REDACTED}@"),
    (re.compile(r"\b(Bot|Bearer) [\w.~+/=-]{16,}"), rf"\1 {REDACTED}"),
    (re.compile(r"\b[\w-]{23,28}\.[\w-]{6,7}\.[\w-]{27,}"), REDACTED),
)

# Below these levels, libraries log secrets or private data: addresses (httpx), whole frames
# (discord), SQL with its values (aiosqlite), and what clients send (aiohttp). Our own aiohttp
# servers log their failures themselves.
_FLOORS: Final = {
    "aiohttp.access": logging.WARNING,
    "aiohttp.server": logging.CRITICAL,
    "aiosqlite": logging.WARNING,
    "asyncio": logging.WARNING,
    "discord": logging.INFO,
    "httpcore": logging.WARNING,
    "httpx": logging.WARNING,
    "procrastinate": logging.WARNING,
}

_REPEATED: Final = ("psycopg.pool",)
"""Loggers that repeat themselves every second or two during an outage."""

_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


class Redaction:
    """Removes secrets from a text: known ones by value, others by their form."""

    def __init__(self, *, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._known: re.Pattern[str] | None = None
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Redact these values as well."""
        self._secrets.update(filter(None, secrets))
        known = sorted(self._secrets, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str, *, limit: int = MAX_TEXT) -> str:
        """Return the text, cut to `limit` characters, without its secrets.

        Takes time linear in the text's length.
        """
        text = _cut(text, limit)
        if self._known:
            text = self._known.sub(REDACTED, text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text


class OnceAMinute(logging.Filter):
    """Passes each message of a logger once a minute at most, whatever its values are."""

    def __init__(self) -> None:
        super().__init__()
        self._reminders = Reminders()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log the record."""
        return self._reminders.is_due(record.msg, record.created)


class ConsoleFormatter(logging.Formatter):
    """Formats a record as one line, followed by any traceback."""

    def __init__(self, *, redact: Redaction) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S")
        self.redact = redact

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base class's
        """Return the record's line, with control characters and line breaks escaped."""
        return _one_line(_cut(super().formatMessage(record), MAX_TEXT))

    def format(self, record: logging.LogRecord) -> str:
        """Return the whole text of the record, redacted."""
        return self.redact(super().format(record), limit=MAX_TRACEBACK)


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object per line, including `extra`."""

    def __init__(self, *, redact: Redaction) -> None:
        super().__init__()
        self.redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON in which every text is redacted."""
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": self.redact(record.getMessage()),
        }
        extra = {name: v for name, v in record.__dict__.items() if name not in _STANDARD}
        fields |= {name: self._plain(v) for name, v in extra.items()}
        if record.exc_info:
            fields["error"] = self.redact(
                self.formatException(record.exc_info), limit=MAX_TRACEBACK
            )
        if record.stack_info:
            fields["stack"] = self.redact(record.stack_info)
        return json.dumps(fields, ensure_ascii=False)

    def _plain(self, value: object) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        return self.redact(str(value))


def configure(
    *, log_format: Literal["console", "json"], level: str, secrets: Iterable[str] = ()
) -> None:
    """Log to standard error, replacing any earlier set-up.

    Uncaught exceptions and warnings are logged too, so that they are redacted.
    """
    redact = Redaction(secrets=secrets)
    formatter: logging.Formatter
    match log_format:
        case "console":
            formatter = ConsoleFormatter(redact=redact)
        case "json":
            formatter = JsonFormatter(redact=redact)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name, floor in _FLOORS.items():
        logging.getLogger(name).setLevel(max(floor, logging.getLogger().level))
    for name in _REPEATED:
        logging.getLogger(name).filters = [OnceAMinute()]
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught


def add_secret(value: str) -> None:
    """Redact a secret that became known after `configure`, such as the key of an installed
    package.
    """
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, ConsoleFormatter | JsonFormatter):
            handler.formatter.redact.add(value)


def _log_uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    logging.getLogger(__name__).critical("stopped by an error", exc_info=(kind, error, traceback))


def _cut(text: str, limit: int) -> str:
    """Return the text up to the limit, and on to the end of a word if one is near."""
    if len(text) <= limit:
        return text
    kept = text[:limit]
    word_end = max(kept.rfind(" "), kept.rfind("\n"))
    if word_end > limit // 2:
        kept = kept[:word_end]
    return kept + _CUT.format(len(text) - len(kept))


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
