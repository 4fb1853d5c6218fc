"""Packs are made once, on request, and not retried immediately after a failure."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from bot.audio.pack_tasks import PackCodec, pack_name
from bot.audio.tools import AudioTools
from bot.domain.errors import AudioFailed
from bot.domain.job import Job
from bot.domain.recipes import Stem
from bot.mixer.pack_maker import PAUSE_S, PackingFailed
from tests.support import audio_files
from tests.support.mixer_server import MixerServer, open_mixer

STEMS = {Stem.INSTRUMENTAL: audio_files.tone(5.0), Stem.VOCALS: audio_files.tone(5.0)}


class SlowHands(AudioTools):
    """Writes one pack, then waits for the test, and may fail."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[int, PackCodec, int]] = []
        self.may_go_on = asyncio.Event()
        self.error: AudioFailed | None = None

    async def pack(
        self, stems: Sequence[Path], into: Path, *, codec: PackCodec, frames: int
    ) -> None:
        self.calls.append((len(stems), codec, frames))
        if self.error:
            raise self.error
        (into / pack_name(0, codec)).write_bytes(b"first")
        await self.may_go_on.wait()
        for number in (1, 2):
            (into / pack_name(number, codec)).write_bytes(b"later")


@pytest.fixture
def hands() -> SlowHands:
    return SlowHands()


@pytest.fixture
async def mixer(tmp_path: Path, hands: SlowHands) -> AsyncIterator[MixerServer]:
    async with open_mixer(tmp_path, audio=hands) as opened:
        yield opened


async def ask(mixer: MixerServer, job: Job, number: int, *, within_s: float = 5.0) -> bytes | None:
    file = await mixer.packs.pack(job, number, PackCodec.OPUS, within_s=within_s)
    return None if file is None else file.read_bytes()


async def test_the_first_pack_is_there_while_the_rest_is_made(
    mixer: MixerServer, hands: SlowHands
) -> None:
    job, _ = await mixer.put(STEMS)
    assert await ask(mixer, job, 0) == b"first"
    assert await ask(mixer, job, 2, within_s=0.01) is None
    hands.may_go_on.set()
    assert await ask(mixer, job, 2) == b"later"
    assert hands.calls == [(2, PackCodec.OPUS, 5 * 44_100)]


async def test_a_failure_is_not_tried_again_at_once(mixer: MixerServer, hands: SlowHands) -> None:
    job, _ = await mixer.put(STEMS)
    hands.error = AudioFailed("no child")
    with pytest.raises(PackingFailed):
        await ask(mixer, job, 0)
    mixer.clock.move(seconds=PAUSE_S / 2)
    with pytest.raises(PackingFailed) as caught:
        await ask(mixer, job, 0)
    assert caught.value.retry_after_s == PAUSE_S / 2
    mixer.clock.move(seconds=PAUSE_S / 2)
    hands.error = None
    assert await ask(mixer, job, 0) == b"first"
    assert len(hands.calls) == 2


async def test_a_restart_makes_what_is_missing(mixer: MixerServer, hands: SlowHands) -> None:
    job, _ = await mixer.put(STEMS)
    assert await ask(mixer, job, 0) == b"first"
    await mixer.packs.aclose()
    assert not mixer.packs.is_making
    hands.may_go_on.set()
    assert await ask(mixer, job, 1) == b"later"
    assert len(hands.calls) == 2


async def test_packs_of_stems_that_are_gone_are_not_asked_of_a_child(
    mixer: MixerServer, hands: SlowHands
) -> None:
    job, _ = await mixer.put(STEMS)
    await mixer.files.remove(job.id)
    with pytest.raises(FileNotFoundError):
        await ask(mixer, job, 0)
    with pytest.raises(FileNotFoundError):
        await mixer.packs.peaks(job)
    assert hands.calls == []
