"""The format of log lines, and the redaction of secrets."""

import json
import logging
import sys
import time

import pytest

from bot.log import ConsoleFormatter, JsonFormatter, Redaction

TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcDE.abcdefghijklmnopqrstuvwxyz0123456789ab"
SIGNED = "https://cdn.example.org/a/b/song.mp3?ex=65f0&is=65ee&hm=deadbeef"


def record(message: str, *args: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("bot.test", logging.INFO, __file__, 1, message, args, None)
    made.__dict__.update(extra)
    return made


def failed(message: str) -> logging.LogRecord:
    try:
        raise RuntimeError(message)
    except RuntimeError:
        made = record("went wrong")
        made.exc_info = sys.exc_info()
        return made


FORMATTERS = [ConsoleFormatter, JsonFormatter]


@pytest.mark.parametrize(
    ("text", "secret", "kept"),
    [
        ("key is k-12345678", "k-12345678", "key is"),
        (f"logging in with {TOKEN}", TOKEN, "logging in with"),
        ("PATCH /webhooks/123/aW50ZXJh.x-y_z/messages/@original", "aW50ZXJh", "/messages/@orig"),
        ("POST /interactions/9/tokentokentoken/callback", "tokentoken", "/callback"),
        ("row (1, 'aW50ZXJhY3Rpb246MTIzOmFiYw==')", "aW50ZXJhY3Rpb246", "row (1, '"),
        (f"fetched {SIGNED} in 2 s", "deadbeef", "https://cdn.example.org/a/b/song.mp3"),
        (
            "GET https://stems.example.org/x/r/k7f2q.Q2-x_9AbCdEfGhIjKlMnOpQr/Neon%20Rain.mp3",
            "Q2-x_9Ab",
            "https://stems.example.org/x/r/k7f2q.",
        ),
        ("for '/s/k7f2q.Q2-x_9AbCdEfGhIjKlMnOpQr/song.mp3'", "MnOpQr", "/song.mp3'"),
        ("GET /song.mp3?ex=65f0&is=65ee&hm=deadbeef", "deadbeef", "GET /song.mp3"),
        ("https://s3.example/x?X-Amz-Signature=feed)beef", "beef", "https://s3.example/x"),
        ("x-amz-signature of &X-Amz-Signature=feedbeef", "feedbeef", "x-amz-signature of"),
        ("wss://gate.example/?v=10&session=abc", "abc", "wss://gate.example/"),
        ("proxy http://me:hunter2@proxy.example:3128", "hunter2", "proxy.example:3128"),
        ("Authorization: Bearer abcdef0123456789XYZ", "abcdef0123456789XYZ", "Bearer"),
    ],
)
@pytest.mark.parametrize("formatter", FORMATTERS)
def test_secret_is_taken_out_and_the_rest_kept(
    formatter: type[ConsoleFormatter | JsonFormatter], text: str, secret: str, kept: str
):
    lines = formatter(redact=Redaction(secrets=["k-12345678"]))

    for made in (record(text), record("%s", text), failed(text)):
        written = lines.format(made)
        assert secret not in written
        assert kept in written


@pytest.mark.parametrize(
    "text",
    [
        "job k7f2q held -> submitting",
        "https://example.org/songs/1 answered 503",
        "what is this?",
        "Bot is ready in 3 servers",
        "song 10.12.2026 took 3.5 s",
    ],
)
def test_ordinary_text_is_left_alone(text: str):
    assert Redaction(secrets=["", "k-12345678"])(text) == text


def test_longer_secret_is_taken_out_whole_when_one_begins_the_other():
    assert Redaction(secrets=["abc", "abcdef"])("abcdef") == "[redacted]"


def test_json_line_carries_the_extra_redacted():
    line = JsonFormatter(redact=Redaction()).format(
        record("moved %s", "on", job="k7f2q", attempt=2, url=SIGNED)
    )

    fields = json.loads(line)
    assert fields["message"] == "moved on"
    assert (fields["job"], fields["attempt"]) == ("k7f2q", 2)
    assert fields["url"] == "https://cdn.example.org/a/b/song.mp3?[redacted]"
    assert fields["level"] == "INFO"
    assert set(fields) == {"time", "level", "logger", "message", "job", "attempt", "url"}


def test_json_line_holds_the_traceback_in_one_line():
    line = JsonFormatter(redact=Redaction()).format(failed("no luck"))

    assert "\n" not in line
    assert json.loads(line)["error"].endswith("RuntimeError: no luck")


def test_file_name_cannot_forge_a_line():
    line = ConsoleFormatter(redact=Redaction()).format(
        record("got %s", "a\n2026 ERROR x\u202e.mp3")
    )

    assert line.endswith(r"got a\n2026 ERROR x\u202e.mp3")


def test_console_shows_the_traceback_below_the_line():
    first, *below = ConsoleFormatter(redact=Redaction()).format(failed("no luck")).splitlines()

    assert first.endswith("INFO    bot.test: went wrong")
    assert below[0] == "Traceback (most recent call last):"
    assert below[-1] == "RuntimeError: no luck"


HOSTILE = (
    "http://",
    "https://a",
    "wss://x/",
    "/webhooks/1/a",
    "/r/a.",
    "&X-Amz-",
    "?X-Amz-a",
    "a://b@",
    "a" * 24 + ".aaaaaa.",
    "Bearer a",
    "aW50ZXJhY3Rpb24",
    "word",
    "_",
)


@pytest.mark.parametrize("unit", HOSTILE)
def test_redaction_takes_time_as_the_text_is_long(unit: str):
    def took_s(length: int) -> float:
        text = (unit * (length // len(unit) + 1))[:length]
        best = float("inf")
        for _ in range(3):
            began = time.perf_counter()
            redact(text, limit=length)
            best = min(best, time.perf_counter() - began)
        return best

    redact = Redaction(secrets=["k-12345678"])
    assert took_s(32_000) < 0.1 + 16 * took_s(4_000)


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_long_text_is_cut_before_anything_is_done_with_it(
    formatter: type[ConsoleFormatter | JsonFormatter],
):
    lines = formatter(redact=Redaction())

    written = lines.format(record("got %s", "x" * 1_000_000))

    assert len(written) < 10_000
    assert "characters more)" in written


def test_secret_at_the_cut_is_not_halved():
    text = "x" * 7_990 + " " + SIGNED

    assert "deadbeef" not in Redaction()(text)
    assert "?ex=" not in Redaction()(text)
    assert Redaction()(text).endswith(f" … ({len(SIGNED) + 1} characters more)")


def test_nested_address_loses_its_query_too():
    assert Redaction()(f"via https://proxy.example/{SIGNED}") == (
        "via https://proxy.example/https://cdn.example.org/a/b/song.mp3?[redacted]"
    )
