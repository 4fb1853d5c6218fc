import asyncio
import json
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, cast, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.audio import all_tasks, tasks
from bot.domain.analysis import PITCH_CLASSES, Key
from bot.engine import protocol
from bot.processes import fork_messages, ipc


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    x: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A field of each type."""

    id: int
    title: str
    is_done: bool
    colour: Colour
    path: Path
    points: tuple[Point, ...]
    bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    id: int


DRAWING = Drawing(
    id=1,
    title='Line\nbreak "ü"',
    is_done=True,
    colour=Colour.RED,
    path=Path("/a b/ü.mp3"),
    points=(Point(x=0.5),),
    bytes=None,
)
FIELDS = json.loads(ipc.encode(DRAWING))["Drawing"]
UNIONS = {
    "audio tasks": all_tasks.Task,
    "audio answers": all_tasks.Answer | tasks.Refusal,
    "engine requests": protocol.Request,
    "engine replies": protocol.Reply,
    "fork requests": fork_messages.Request,
    "fork replies": fork_messages.Reply,
}

texts = st.text(st.characters(codec="utf-8") | st.just("\udcff"), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
PLAIN = {
    bool: st.booleans(),
    int: st.integers(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: texts,
    Path: texts.map(Path),
    NoneType: st.none(),
    Key: st.builds(Key, tonic=st.integers(0, PITCH_CLASSES - 1), is_minor=st.booleans()),
}


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for the values of a type that messages are made of."""
    if hint in PLAIN:
        return PLAIN[hint]
    if isinstance(hint, UnionType):
        return st.one_of(*map(values, get_args(hint)))
    if get_origin(hint) is tuple:
        return st.lists(values(get_args(hint)[0]), max_size=2).map(tuple)
    if is_dataclass(hint):
        hints, kind = get_type_hints(hint), cast("type[Any]", hint)
        return st.builds(kind, **{field.name: values(hints[field.name]) for field in fields(hint)})
    return st.sampled_from(hint)


def line_of(**changes):
    return json.dumps({"Drawing": FIELDS | changes}).encode() + b"\n"


def without(name):
    return json.dumps({"Drawing": {k: v for k, v in FIELDS.items() if k != name}}).encode()


@pytest.mark.parametrize("name", UNIONS)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_every_message_comes_back_as_it_was_sent_in_one_line(name, data):
    message = data.draw(values(UNIONS[name]))
    line = ipc.encode(message)
    assert line.count(b"\n") == 1
    assert ipc.decode(line, UNIONS[name]) == message


def test_a_value_that_its_type_refuses_is_malformed():
    with pytest.raises(ipc.MalformedMessage, match="no such Key"):
        ipc.decode(b'{"Key": {"tonic": 12, "is_minor": false}}\n', Key)


def test_a_whole_number_is_a_float_where_one_is_declared():
    message = ipc.decode(line_of(points=[{"x": 2}]), Drawing)
    assert type(message.points[0].x) is float


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"nonsense\n",
        b"\xff\xfe",
        '{"Erased": {"id": 1}}'.encode("utf-16"),
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"id": ' + b"1" * 5_000 + b"}",
        b"{}",
        b'{"Erased": []}',
        b'{"Erased": {}}',
        b'{"Erased": {"id": 1}, "Drawing": {}}',
        b'{"Point": {"x": 1.0}}',
        b'{"Drawing": {"id": 1}}',
        without("title"),
        line_of(extra=1),
        line_of(id="1"),
        line_of(id=1.0),
        line_of(id=True),
        line_of(id=None),
        line_of(title=["T"]),
        line_of(title=None),
        line_of(is_done=1),
        line_of(colour="blue"),
        line_of(colour=[]),
        line_of(path=3),
        line_of(points={"x": 1.0}),
        line_of(points=[1.0]),
        line_of(points=[{"x": "1"}]),
        line_of(points=[{"x": True}]),
        line_of(points=[{"x": float("nan")}]),
        line_of(points=[{"x": float("-inf")}]),
        line_of(points=[{"x": 10**400}]),
        line_of(points=[{"x": 0.25}]).replace(b"0.25", b"1e999"),
        line_of(bytes="9"),
        line_of(title="x" * ipc.MOST_LINE_BYTES),
    ],
    ids=lambda line: repr(line[-20:]),
)
def test_a_line_of_another_shape_is_malformed(line):
    with pytest.raises(ipc.MalformedMessage):
        ipc.decode(line, Drawing | Erased)


@settings(deadline=None)
@given(name=st.sampled_from(sorted(FIELDS)), value=json_values)
def test_a_field_of_any_value_is_of_its_type_or_malformed(name, value):
    try:
        message = ipc.decode(line_of(**{name: value}), Drawing)
    except ipc.MalformedMessage:
        return
    assert ipc.decode(ipc.encode(message), Drawing) == message


@settings(deadline=None)
@given(line=st.binary(max_size=40) | json_values.map(json.dumps).map(str.encode))
def test_noise_is_malformed(line):
    with pytest.raises(ipc.MalformedMessage):
        ipc.decode(line, Drawing | Erased)


def test_a_message_of_another_union_is_malformed():
    cancel, cancelled = ipc.encode(protocol.Cancel(id=1)), ipc.encode(protocol.Cancelled(id=1))
    with pytest.raises(ipc.MalformedMessage):
        ipc.decode(cancel, protocol.Reply)
    with pytest.raises(ipc.MalformedMessage):
        ipc.decode(cancelled, protocol.Request)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(Point(x=float("nan")), id="not a number"),
        pytest.param(Point(x=float("inf")), id="infinite"),
        pytest.param(replace(DRAWING, title="x" * ipc.MOST_LINE_BYTES), id="too long"),
    ],
)
def test_what_could_not_be_decoded_is_not_sent(message):
    with pytest.raises(ipc.MalformedMessage):
        ipc.encode(message)


def stream_of(content):
    stream = asyncio.StreamReader(limit=ipc.MOST_LINE_BYTES)
    stream.feed_data(content)
    stream.feed_eof()
    return stream


async def test_a_stream_is_read_message_by_message_to_its_end():
    stream = stream_of(ipc.encode(DRAWING) + ipc.encode(Erased(id=2)))
    heard = [await ipc.receive(stream, Drawing | Erased) for _ in range(3)]
    assert heard == [DRAWING, Erased(id=2), None]


async def test_a_stream_that_breaks_off_in_a_line_has_ended():
    assert await ipc.receive(stream_of(ipc.encode(DRAWING)[:-1]), Drawing) is None


async def test_a_line_without_end_fills_no_memory():
    with pytest.raises(ipc.MalformedMessage):
        await ipc.receive(stream_of(b" " * 3 * ipc.MOST_LINE_BYTES), Drawing)
