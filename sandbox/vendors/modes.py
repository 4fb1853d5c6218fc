"""A vendor's failure modes, and the point of a request at which each takes effect."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Mode(StrEnum):
    """A kind of behaviour. Each vendor supports the modes that its documentation allows."""

    OK = "ok"
    DOWN = "down"
    ERROR_500 = "error_500"
    ERROR_503 = "error_503"
    RATE_LIMIT = "rate_limit"
    CONCURRENCY = "concurrency"
    NO_CREDIT = "no_credit"
    BAD_KEY = "bad_key"
    KEY_NOT_ENABLED = "key_not_enabled"
    SUSPENDED = "suspended"
    MODERATION = "moderation"
    ARTIST_NAME = "artist_name"
    ACCEPT_THEN_FAIL = "accept_then_fail"
    UNKNOWN_STATUS = "unknown_status"
    UNKNOWN_CODE = "unknown_code"
    NEVER_FINISHES = "never_finishes"
    MALFORMED = "malformed"
    MISTYPED = "mistyped"
    HANG_BEFORE_ANSWER = "hang_before_answer"
    SLOW_BODY = "slow_body"
    RESET_AFTER_SUBMIT = "reset_after_submit"
    TRUNCATED_RESULT = "truncated_result"
    WRONG_CONTENT_TYPE = "wrong_content_type"
    OVERSIZE_RESULT = "oversize_result"
    GZIP_BOMB = "gzip_bomb"
    REDIRECT_PRIVATE = "redirect_private"
    EXPIRED_LINKS = "expired_links"


class Point(StrEnum):
    """The point at which a mode takes effect, which its `times` counts."""

    NOWHERE = "nowhere"
    REQUEST = "request"
    SUBMIT = "submit"
    TASK = "task"
    LINKS = "links"
    RESULT = "result"


_POINTS: Final = {
    Point.NOWHERE: {Mode.OK: "does what its documents say"},
    Point.REQUEST: {
        Mode.DOWN: "resets the connection without reading the request",
        Mode.ERROR_500: "answers 500",
        Mode.ERROR_503: "answers 503",
        Mode.RATE_LIMIT: "refuses: too many requests",
        Mode.BAD_KEY: "refuses: the key is wrong",
        Mode.KEY_NOT_ENABLED: "refuses: the key is not enabled",
        Mode.SUSPENDED: "refuses: the account is suspended",
        Mode.UNKNOWN_CODE: "answers with a code that no document lists",
        Mode.MALFORMED: "sends half of its answer",
        Mode.MISTYPED: "sends values of the wrong types",
        Mode.HANG_BEFORE_ANSWER: "reads the request and is silent until its mode changes",
        Mode.SLOW_BODY: "sends its answer byte by byte",
    },
    Point.SUBMIT: {
        Mode.CONCURRENCY: "refuses: too many tasks at once",
        Mode.NO_CREDIT: "refuses: no credit left",
        Mode.MODERATION: "refuses: words that are not allowed",
        Mode.ARTIST_NAME: "refuses: an artist's name",
        Mode.RESET_AFTER_SUBMIT: "takes the work, then resets the connection",
    },
    Point.TASK: {
        Mode.ACCEPT_THEN_FAIL: "takes the work and fails at it",
        Mode.UNKNOWN_STATUS: "calls a running task by a word that no document lists",
        Mode.NEVER_FINISHES: "takes the work and never ends",
    },
    Point.LINKS: {Mode.EXPIRED_LINKS: "gives dead links at first, good ones when asked again"},
    Point.RESULT: {
        Mode.TRUNCATED_RESULT: "breaks off in the middle of a result",
        Mode.WRONG_CONTENT_TYPE: "calls a result a web page",
        Mode.OVERSIZE_RESULT: "sends a result without end",
        Mode.GZIP_BOMB: "sends a small result that unpacks to a gigabyte",
        Mode.REDIRECT_PRIVATE: "redirects a result to another host's private address",
    },
}

POINT: Final[Mapping[Mode, Point]] = MappingProxyType(
    {mode: point for point, modes in _POINTS.items() for mode in modes}
)
SENTENCE: Final[Mapping[Mode, str]] = MappingProxyType(
    {mode: sentence for modes in _POINTS.values() for mode, sentence in modes.items()}
)

ANY_VENDOR: Final = frozenset(Mode) - {
    Mode.CONCURRENCY,
    Mode.KEY_NOT_ENABLED,
    Mode.SUSPENDED,
    Mode.MODERATION,
    Mode.ARTIST_NAME,
    Mode.UNKNOWN_STATUS,
    Mode.UNKNOWN_CODE,
    Mode.NEVER_FINISHES,
}
"""Modes that are possible at every vendor, documented or not."""
