"""Searches the bot's object graph for strings."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

_CONTAINERS = (list, tuple, set, frozenset, deque)


def mentions(root: object, word: str) -> list[str]:
    """Return the paths from `root` to strings equal to `word`, through objects of the bot.

    Fakes, the store's connections and running tasks are not searched.
    """
    found: list[str] = []
    seen: set[int] = set()
    queue: deque[tuple[str, object]] = deque([(type(root).__name__, root)])
    while queue:
        path, value = queue.popleft()
        if value == word:
            found.append(path)
        if id(value) not in seen:
            seen.add(id(value))
            queue.extend((f"{path}{step}", part) for step, part in _parts(value))
    return found


def _parts(value: object) -> Iterable[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, part in tuple(value.items()):
            yield f"[{key!r}]", part
            yield f".keys({key!r})", key
    elif isinstance(value, _CONTAINERS):
        yield from ((f"[{number}]", part) for number, part in enumerate(tuple(value)))
    elif type(value).__module__.startswith("bot."):
        yield from ((f".{name}", part) for name, part in _attributes(value))


def _attributes(value: object) -> Iterable[tuple[str, Any]]:
    slots = (name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ()))
    names = {*slots, *getattr(value, "__dict__", {})} - {"__weakref__", "__dict__"}
    yield from ((name, getattr(value, name)) for name in names if hasattr(value, name))
