"""Doing several things at once, with one plain error when one of them fails."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")


async def gather_or_raise(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run all at once and return their results in order.

    When one fails the others are cancelled and awaited, and its own error is raised: a
    TaskGroup's ExceptionGroup would hide from `except` the types that services decide by.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


async def both(one: Coroutine[Any, Any, A], other: Coroutine[Any, Any, B]) -> tuple[A, B]:
    """Run two things of different kinds as `gather_or_raise` does."""
    work: list[Coroutine[Any, Any, Any]] = [one, other]
    first, second = await gather_or_raise(work)
    return first, second
