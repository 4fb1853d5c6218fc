"""Which tasks are offered to other machines, and when. The children are tested in
tests/integration/audio.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from bot.audio.all_tasks import Answer, Task
from bot.audio.rendition_tasks import MasterPart, Rendered, RenderedOutput, RenderTask
from bot.audio.tasks import DecodeTask, EncodeTask, FileRejected, Level, Refusal
from bot.audio.tools import AudioTools
from bot.domain.errors import ChildLost, Reason, Rejected
from bot.domain.recipes import AudioFormat

A = TypeVar("A", bound=Answer)


class Elsewhere:
    """Answers, or leaves tasks to this machine."""

    def __init__(self) -> None:
        self.asked: list[tuple[type[Task], bool]] = []
        self.answer: Answer | Refusal | None = None
        self.at_once = self.most_at_once = 0

    async def run(
        self, task: Task, take: Callable[[Answer | Refusal], A], *, is_busy: bool
    ) -> A | None:
        self.asked.append((type(task), is_busy))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.01)
        self.at_once -= 1
        return None if self.answer is None else take(self.answer)


@pytest.fixture
def elsewhere() -> Elsewhere:
    return Elsewhere()


def tools(elsewhere: Elsewhere, *, decoding_at_once: int = 2) -> AudioTools:
    return AudioTools(
        decoding_at_once=decoding_at_once, server=("/nothing/here",), elsewhere=elsewhere
    )


async def test_what_another_machine_leaves_runs_here(elsewhere: Elsewhere, tmp_path: Path):
    audio = tools(elsewhere)
    await audio.aclose()  # so that it starts no child
    with pytest.raises(ChildLost, match="the fork server is closed"):
        await audio.encode(tmp_path / "a", tmp_path / "b", format=AudioFormat.MP3)
    assert elsewhere.asked == [(EncodeTask, False)]


@pytest.mark.parametrize(("decoding_at_once", "is_busy"), [(1, False), (0, True)])
async def test_another_machine_learns_whether_a_song_would_wait_here(
    elsewhere: Elsewhere, tmp_path: Path, decoding_at_once: int, is_busy: bool
):
    elsewhere.answer = FileRejected(reason=Reason.NOT_AUDIO)
    with pytest.raises(Rejected):
        await tools(elsewhere, decoding_at_once=decoding_at_once).decode(
            tmp_path / "a", tmp_path / "b", max_duration_s=1
        )
    assert elsewhere.asked == [(DecodeTask, is_busy)]


async def test_renditions_are_made_one_at_a_time_also_elsewhere(
    elsewhere: Elsewhere, tmp_path: Path
):
    elsewhere.answer = Rendered(factor=1.0, frames=0, levels=(Level(peak=0.5, rms=0.1),))
    path = tmp_path / "rendered"
    path.write_bytes(b"sound")
    outputs = [RenderedOutput(path=path, parts=(MasterPart(master=tmp_path / "a.flac"),))]
    audio = tools(elsewhere)
    await asyncio.gather(*(audio.render(outputs) for _ in range(3)))
    assert elsewhere.asked == [(RenderTask, False)] * 3
    assert elsewhere.most_at_once == 1
