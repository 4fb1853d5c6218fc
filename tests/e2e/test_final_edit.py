"""Errors in the edit that delivers the stems, which still arrive exactly once."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sandbox.errors import Json
from sandbox.faults import Fault
from tests.e2e import reading
from tests.e2e.bot_harness import BotHarness

pytestmark = [pytest.mark.e2e, pytest.mark.model, pytest.mark.asyncio(loop_scope="package")]

FAULTS: Mapping[str, list[dict[str, Any]]] = {
    # An error, a rate limit, and an edit that takes effect but is never answered.
    "passing errors": [
        {"status": 500, "times": 1},
        {"status": 429, "times": 1},
        {"reset": True, "after": True, "times": 1},
    ],
    "unknown token": [{"status": 404, "code": 10015}],
    "too large": [{"status": 413, "code": 40005, "times": 1}],
}


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def uploads(harness: BotHarness, song: Path) -> Mapping[str, tuple[Json, Json]]:
    """Discord's response and the final reply, for one song per case."""
    guests = {name: await harness.guest() for name in FAULTS}
    answers = {}
    for name, faults in FAULTS.items():
        answers[name] = await guests[name].split(song, stems="vocals")
        route = f"PATCH /webhooks/*/messages/{answers[name]['message_id']}"
        for fault in faults:
            harness.sandbox.faults.add(Fault(route=route, with_files=True, **fault))
    replies = await asyncio.gather(*(guests[name].sees(answers[name]) for name in FAULTS))
    await harness.until(lambda: harness.records.unfinished() == 0)
    harness.sandbox.faults.clear()
    return {name: (answers[name], reply) for name, reply in zip(FAULTS, replies, strict=True)}


@pytest.mark.parametrize(
    ("case", "met", "way"),
    [
        ("passing errors", [500, 429, None], "webhooks"),
        ("unknown token", [404, 404], "channels"),
        ("too large", [413], "webhooks"),
    ],
)
async def test_stems_arrive_once_in_spite_of(
    uploads: Mapping[str, tuple[Json, Json]],
    harness: BotHarness,
    case: str,
    met: list[int | None],
    way: str,
) -> None:
    answer, reply = uploads[case]
    edits = harness.edits_of(answer)
    assert [edit["status"] for edit in edits if edit["status"] != 200] == met
    assert edits[-1]["path"].startswith(f"/{way}/")
    assert reply["id"] == answer["message_id"]
    assert reading.names(reply) == ["Neon Rain (Vocals).mp3"]
    assert harness.records.state(answer) == "delivered"
    assert harness.records.moves(answer) == ["hold", "post"]
    assert harness.records.attempts(answer) == ["done"]
