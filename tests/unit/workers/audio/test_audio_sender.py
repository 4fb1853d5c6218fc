"""How a bot handles everything that a worker, a task's row and its objects may do."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bot.audio.all_tasks import Answer
from bot.audio.answers import accepted
from bot.audio.tasks import DecodeTask, DoesNotFit, Encoded, EncodeTask, Refusal
from bot.domain.errors import AudioFailed, StoreUnavailable
from bot.domain.recipes import AudioFormat
from bot.workers.audio import audio_sender as module
from bot.workers.audio.audio_sender import AudioSender
from storage.objects.shared_job_files import SharedJobFiles
from storage.work_queue.audio_tasks import AudioTaskState, SentTask, audio_objects
from tests.support.object_stores import LeavingStore, folder_store

DONE = '{"Encoded": {"path": "out-0", "size_bytes": 5, "format": "mp3", "bit_rate": 1}}'

Worker = Callable[[str], Awaitable[tuple[AudioTaskState, str | None]]]


class Tasks:
    """A task's row, which a scripted worker takes as soon as it is offered."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.free = 1
        self.error: Exception | None = None
        self.is_worker_living = True
        self.row: tuple[AudioTaskState, str | None] | None = None
        self.removed: list[str] = []

    async def places(self) -> int:
        return self.free

    async def reserve(self, task_id: str, task: str) -> bool:
        if self.free > 0:
            self.row = (AudioTaskState.SENDING, None)
        return self.free > 0

    async def offer(self, task_id: str) -> None:
        self.row = await self.worker(task_id)

    async def look(self, task_id: str) -> SentTask | None:
        if self.error is not None:
            raise self.error
        if self.row is None:
            return None
        state, answer = self.row
        return SentTask(
            state=state, worker="w", answer=answer, is_worker_living=self.is_worker_living
        )

    async def ask(self, task_id: str) -> None:
        return None

    async def remove(self, task_id: str) -> None:
        self.removed.append(task_id)


class Bench:
    """A sender, and a master that is to be encoded."""

    def __init__(self, folder: Path) -> None:
        self.store = LeavingStore(folder_store(folder / "share"))
        self.job = folder / "jobs" / "k7f2q"
        self.job.mkdir(parents=True)
        self.task = EncodeTask(
            stem=self.job / "vocals.flac",
            into=self.job / "vocals.mp3",
            format=AudioFormat.MP3,
            max_bytes=5,
            title=None,
            artist=None,
            album=None,
        )
        self.task.stem.write_bytes(bytes(2**20))
        self.tasks = Tasks(self.done)
        self.result: bytes | None = b"12345"
        self.answer = DONE
        self.sender = AudioSender(
            tasks=self.tasks,  # type: ignore[arg-type] # matches by shape
            objects=self.store,
            files=SharedJobFiles(folder / "jobs", self.store, owner="tests"),
            taken_within_s=0.05,
        )

    async def done(self, task_id: str) -> tuple[AudioTaskState, str | None]:
        """Check the inputs, store the result, and give the answer."""
        assert await self.store.size(f"{audio_objects(task_id)}/in-0") == 2**20
        if self.result is not None:
            path = self.job.parent / "result"
            path.write_bytes(self.result)
            await self.store.put(path, f"{audio_objects(task_id)}/out-0")
        return AudioTaskState.DONE, self.answer

    def take(self, answer: Answer | Refusal) -> Encoded:
        return accepted(self.task, Encoded, answer)

    async def run(self) -> Encoded | None:
        try:
            return await self.sender.run(self.task, self.take, is_busy=False)
        finally:
            await self.sender.aclose()

    @property
    def outcomes(self) -> dict[str, int]:
        return {outcome: count for outcome, count in self.sender.ended.items() if count}


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.01)
    made = Bench(tmp_path)
    await made.store.prepare("tests")
    return made


async def test_a_result_of_a_worker_is_used_and_nothing_else_is_left(bench: Bench):
    encoded = await bench.run()
    assert encoded is not None
    assert encoded.path == bench.task.into
    assert bench.task.into.read_bytes() == b"12345"
    assert bench.outcomes == {"done": 1}
    assert len(bench.tasks.removed) == 1
    assert await bench.store.keys_under("audio") == []


@pytest.mark.parametrize("is_there", [False, True])
async def test_what_the_store_has_already_is_not_sent_again(bench: Bench, is_there: bool):
    if is_there:
        await bench.store.put(bench.task.stem, "jobs/k7f2q/vocals.flac")
    bench.store.calls.clear()
    await bench.run()
    assert bench.store.calls.count("put") == (1 if is_there else 2)  # one of them is the result's


async def test_nothing_is_sent_without_a_place(bench: Bench):
    bench.tasks.free = 0
    assert await bench.run() is None
    assert (bench.store.calls, bench.outcomes) == ([], {})


async def test_nothing_is_sent_while_the_database_does_not_answer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    async def hang() -> int:
        await asyncio.sleep(60)
        return 1

    monkeypatch.setattr(module, "PLACE_WITHIN_S", 0.05)
    monkeypatch.setattr(bench.tasks, "places", hang)
    assert await bench.run() is None
    assert bench.outcomes == {}


async def test_a_short_task_and_one_that_need_not_wait_stay_here(bench: Bench):
    decode = DecodeTask(source=bench.task.stem, into=bench.job / "a.f32", max_frames=1)
    assert await bench.sender.run(decode, bench.take, is_busy=False) is None
    bench.task.stem.write_bytes(b"short")
    assert await bench.run() is None
    assert bench.outcomes == {}


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (DONE, None),
        (DONE, b""),
        (DONE, b"123456"),
        (DONE.replace("out-0", "/etc/passwd"), b"12345"),
        (DONE.replace('"mp3"', '"wav"'), b"12345"),
        ('{"Drawn": {"size_bytes": 5}}', b"12345"),
        ('{"DiskFull": {"detail": "no space"}}', None),
        ("{}", None),
        ("not even JSON", None),
    ],
)
async def test_a_result_that_cannot_be_believed_is_made_again_here(
    bench: Bench, answer: str, result: bytes | None
):
    bench.answer, bench.result = answer, result
    assert await bench.run() is None
    assert bench.outcomes == {"wrong": 1}
    assert not bench.task.into.exists()


async def test_a_result_larger_than_any_is_not_even_fetched(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    async def huge(key: str) -> int | None:
        return 2**42 if key.startswith("audio/") else None

    monkeypatch.setattr(bench.store, "size", huge)
    monkeypatch.setattr(bench.tasks, "worker", _given(AudioTaskState.DONE, DONE))
    assert await bench.run() is None
    assert bench.outcomes == {"wrong": 1}
    assert "get" not in bench.store.calls


async def test_a_refusal_is_final(bench: Bench):
    bench.answer, bench.result = '{"TooLarge": {"needed_bytes": 9, "max_bytes": 5}}', None
    with pytest.raises(DoesNotFit):
        await bench.run()
    assert bench.outcomes == {"refused": 1}


async def test_a_failure_of_the_task_itself_is_final(bench: Bench):
    bench.answer, bench.result = '{"ChildFailed": {"detail": "ended with status 1"}}', None
    with pytest.raises(AudioFailed, match="ended with status 1"):
        await bench.run()
    assert bench.outcomes == {"refused": 1}


def _given(state: AudioTaskState, answer: str | None = None) -> Worker:
    async def worker(task_id: str) -> tuple[AudioTaskState, str | None]:
        return state, answer

    return worker


async def test_a_task_that_no_worker_takes_runs_here(bench: Bench):
    bench.tasks.worker = _given(AudioTaskState.WAITING)
    assert await bench.run() is None
    assert bench.outcomes == {"not_taken": 1}


async def test_a_task_that_its_worker_declines_runs_here(
    bench: Bench, caplog: pytest.LogCaptureFixture
):
    bench.tasks.worker = _given(AudioTaskState.DECLINED, "its disk is full")
    assert await bench.run() is None
    assert bench.outcomes == {"declined": 1}
    assert "EncodeTask runs here: its worker declines: its disk is full" in caplog.text


async def test_a_task_whose_worker_is_gone_runs_here(bench: Bench):
    bench.tasks.worker = _given(AudioTaskState.RUNNING)
    bench.tasks.is_worker_living = False
    assert await bench.run() is None
    assert bench.outcomes == {"worker_gone": 1}


async def test_a_task_that_takes_too_long_runs_here(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "LEAST_DEADLINE_S", 0.1)
    monkeypatch.setattr(module, "DEADLINE_S_PER_MIB", 0)
    bench.tasks.worker = _given(AudioTaskState.RUNNING)
    assert await bench.run() is None
    assert bench.outcomes == {"late": 1}


async def test_a_task_runs_here_when_database_or_store_go_away(bench: Bench):
    bench.tasks.error = StoreUnavailable("away")
    assert await bench.run() is None
    bench.tasks.error = None
    bench.store.is_away = True
    assert await bench.run() is None
    assert bench.outcomes == {"unavailable": 2}


async def test_a_cancelled_task_is_removed_and_leaves_nothing(bench: Bench):
    bench.tasks.worker = _given(AudioTaskState.RUNNING)
    running = asyncio.create_task(bench.run())
    while bench.tasks.row != (AudioTaskState.RUNNING, None):
        await asyncio.sleep(0.001)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert bench.outcomes == {"cancelled": 1}
    assert len(bench.tasks.removed) == 1
    assert await bench.store.keys_under("audio") == []
