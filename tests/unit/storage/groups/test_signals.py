"""Signals between bots, as text."""

import pytest

from storage.groups.signals import Signal, SignalKind


@pytest.mark.parametrize(
    ("text", "signal"),
    [
        ("job k7f2q", Signal(SignalKind.JOB, "k7f2q")),
        ("place finevoice 0-3/16", Signal(SignalKind.PLACE, "finevoice", "0-3/16")),
    ],
)
def test_a_note_is_read_as_it_was_written(text: str, signal: Signal) -> None:
    assert Signal.parse(text) == signal
    assert str(signal) == text


@pytest.mark.parametrize("text", ["", "job", "song k7f2q", "jobs k7f2q"])
def test_a_note_of_another_version_is_left_alone(text: str) -> None:
    found = Signal.parse(text)
    assert found is None or found == Signal(SignalKind.JOB, "")
