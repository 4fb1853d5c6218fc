"""What a worker reports for each way in which a task can end."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.audio.all_tasks import Answer, Task
from bot.audio.tasks import DiskFull, Encoded, EncodeTask, Refusal, TooLarge
from bot.domain.errors import AudioFailed, ChildLost, NoRoom, Reason, Rejected, StoreUnavailable
from bot.domain.recipes import AudioFormat
from bot.workers.audio.audio_performer import AudioPerformer
from bot.workers.audio.portable_tasks import packed
from bot.workers.counts import Outcome
from tests.support.object_stores import LeavingStore, folder_store

ID = "0123456789abcdef01234567"
TASK = EncodeTask(
    stem=Path("/far/vocals.flac"),
    into=Path("/far/vocals.mp3"),
    format=AudioFormat.MP3,
    max_bytes=None,
    title=None,
    artist=None,
    album=None,
)


class Row:
    """The row of a task."""

    def __init__(self) -> None:
        self.message: str | None = packed(TASK).message
        self.ends: list[tuple[str, str]] = []
        self.is_wanted = True

    async def start(self, task_id: str, *, worker: str) -> str | None:
        assert (task_id, worker) == (ID, "w")
        return self.message

    async def finish(self, task_id: str, answer: str, *, worker: str) -> bool:
        self.ends.append(("done", answer))
        return self.is_wanted

    async def decline(self, task_id: str, reason: str, *, worker: str) -> bool:
        self.ends.append(("declined", reason))
        return self.is_wanted


class Audio:
    """Audio tools with one scripted child."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.answer: Answer | Refusal | None = None
        self.is_well = True
        self.hangs = False
        self.seen: list[bytes] = []

    async def perform(self, task: Task) -> Answer | Refusal:
        assert isinstance(task, EncodeTask)
        self.seen.append(task.stem.read_bytes())
        if self.hangs:
            await asyncio.sleep(60)
        if self.error is not None:
            raise self.error
        task.into.write_bytes(b"12345")
        return self.answer or Encoded(
            path=task.into, size_bytes=5, format=AudioFormat.MP3, bit_rate=1
        )

    async def check(self) -> None:
        if not self.is_well:
            raise AudioFailed("a sound of our own does not decode")


class Bench:
    def __init__(self, folder: Path) -> None:
        self.row, self.audio = Row(), Audio()
        self.store = LeavingStore(folder_store(folder / "share"))
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self.performer = AudioPerformer(
            tasks=self.row,  # type: ignore[arg-type] # matches by shape
            objects=self.store,
            audio=self.audio,  # type: ignore[arg-type] # matches by shape
            scratch=self.scratch,
            worker="w",
        )

    @property
    def outcomes(self) -> dict[str, int]:
        return {outcome: count for outcome, count in self.performer.counts.ended.items() if count}


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    await made.store.prepare("tests")
    song = tmp_path / "song"
    song.write_bytes(b"a master")
    await made.store.put(song, f"audio/{ID}/in-0")
    yield made
    assert list(made.scratch.iterdir()) == []
    assert made.performer.counts.under_way == 0


async def test_results_are_in_the_store_before_the_row_says_so(bench: Bench, tmp_path: Path):
    await bench.performer.perform(ID)
    assert bench.audio.seen == [b"a master"]
    [(state, answer)] = bench.row.ends
    assert state == "done"
    assert packed(TASK).decode_answer(answer) == Encoded(
        path=TASK.into, size_bytes=5, format=AudioFormat.MP3, bit_rate=1
    )
    await bench.store.get(f"audio/{ID}/out-0", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"12345"
    assert bench.outcomes == {Outcome.DONE: 1}


async def test_a_task_that_was_given_up_is_not_run(bench: Bench):
    bench.row.message = None
    await bench.performer.perform(ID)
    assert (bench.audio.seen, bench.row.ends, bench.outcomes) == ([], [], {})


async def test_results_that_are_no_longer_wanted_are_deleted(bench: Bench):
    bench.row.is_wanted = False
    await bench.performer.perform(ID)
    assert await bench.store.keys_under("audio") == []
    assert bench.outcomes == {Outcome.DROPPED: 1}


async def test_a_refusal_is_an_answer(bench: Bench):
    bench.audio.answer = TooLarge(needed_bytes=9, max_bytes=5)
    await bench.performer.perform(ID)
    bench.audio.error = Rejected(Reason.BROKEN_FILE)
    await bench.performer.perform(ID)
    assert [state for state, _ in bench.row.ends] == ["done", "done"]
    assert '"needed_bytes": 9' in bench.row.ends[0][1]
    assert '"broken_file"' in bench.row.ends[1][1]


async def test_a_child_that_fails_of_its_task_is_an_answer(bench: Bench):
    bench.audio.error = AudioFailed("EncodeTask ended with status 1")
    await bench.performer.perform(ID)
    [(state, answer)] = bench.row.ends
    assert (state, "ended with status 1" in answer) == ("done", True)


@pytest.mark.parametrize(
    "error", [ChildLost("took over 60 s"), NoRoom("no process"), RuntimeError("a bug")]
)
async def test_what_is_the_fault_of_this_machine_is_declined(bench: Bench, error: Exception):
    bench.audio.error = error
    await bench.performer.perform(ID)
    [(state, _)] = bench.row.ends
    assert state == "declined"
    assert bench.outcomes == {Outcome.FAILED: 1}


async def test_a_machine_on_which_every_child_fails_blames_no_task(bench: Bench):
    bench.audio.error, bench.audio.is_well = AudioFailed("ended with status -4"), False
    await bench.performer.perform(ID)
    assert bench.row.ends == [("declined", "a sound of our own does not decode")]


async def test_a_full_disk_is_declined(bench: Bench):
    bench.audio.answer = DiskFull(detail="no space left")
    await bench.performer.perform(ID)
    assert bench.row.ends == [("declined", "no space left")]


async def test_a_store_that_is_away_is_not_waited_for(bench: Bench):
    bench.store.is_away = True
    await bench.performer.perform(ID)
    [(state, _)] = bench.row.ends
    assert state == "declined"


async def test_a_missing_input_is_declined(bench: Bench):
    await bench.store.remove(f"audio/{ID}/in-0")
    await bench.performer.perform(ID)
    assert [state for state, _ in bench.row.ends] == ["declined"]


async def test_a_task_that_reaches_for_other_files_is_declined(bench: Bench):
    assert bench.row.message is not None
    bench.row.message = bench.row.message.replace("in-0", "/etc/passwd")
    await bench.performer.perform(ID)
    assert [state for state, _ in bench.row.ends] == ["declined"]
    assert bench.audio.seen == []


@pytest.mark.parametrize("name", ["../../jobs/k7f2q", "K", ""])
async def test_an_id_that_is_none_leads_nowhere(bench: Bench, name: str):
    with pytest.raises(ValueError, match="not the id"):
        await bench.performer.perform(name)


async def test_a_worker_that_leaves_hands_its_tasks_back(bench: Bench):
    bench.audio.hangs = True
    running = asyncio.create_task(bench.performer.perform(ID))
    while not bench.audio.seen:
        await asyncio.sleep(0.001)
    bench.performer.hand_back()
    await running
    assert bench.row.ends == [("declined", "it stops")]
    assert bench.outcomes == {Outcome.HANDED_BACK: 1}


async def test_a_database_that_is_away_is_waited_for_with_the_answer(bench: Bench):
    finish, errors = bench.row.finish, [StoreUnavailable("away")]

    async def later(task_id: str, answer: str, *, worker: str) -> bool:
        if errors:
            raise errors.pop()
        return await finish(task_id, answer, worker=worker)

    bench.row.finish = later  # type: ignore[method-assign] # fails once
    await bench.performer.perform(ID)
    assert bench.outcomes == {Outcome.DONE: 1}
