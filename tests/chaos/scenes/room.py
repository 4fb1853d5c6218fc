"""Low disk space: tiny files that decode to large ones, one user's repeats, and a full disk."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from bot.accounts.disk_guard import LOOK_EVERY_S, RESERVE_BYTES
from bot.domain.errors import Problem, Reason
from bot.ui.texts.messages import problem
from tests.chaos.bot import DECODES
from tests.chaos.checks import broken_promises
from tests.chaos.harness import ChaosHarness, open_harness
from tests.chaos.measurements import Figure, at_most, exactly, none_of, note
from tests.chaos.scenes.kills import unfinished
from tests.chaos.services import FIRST, GO, Script
from tests.chaos.silence import titled, write_silence
from tests.chaos.small_disk import (
    MIB,
    fill_up,
    free_bytes,
    keep_free,
    small_disk,
    used_bytes,
    watched,
)

FULL = problem(Problem(Reason.DISK_FULL))
BUSY = problem(Problem(Reason.BUSY))
PEOPLE = 50
OPUS_EVERY = 10
"""One song in this many is Opus, which takes longer to decode than FLAC."""
GIB = 1024 * MIB
MASTER_BYTES = 64 * 1024
REPEATED_MASTER_BYTES = 16 * MIB
PLATEAU_S = 20.0
"""Longer than decoding a song and longer than the guard's pauses."""
ENDS_WITHIN_S = 600.0
DISK_MIB = RESERVE_BYTES // MIB + 256
LEFT_MIB = 32
"""The space that others leave on a full disk: enough for the database, too little for a song."""
LEAST_FREE_MIB = 8
CANCELLED_WITHIN_S = 10.0
_SKIPPED = "skipped: this user may not mount"
_ENDS = "SELECT state, reason, count(*) AS jobs FROM jobs GROUP BY state, reason"
_WITHDRAWN = "SELECT id, interaction_id FROM jobs WHERE reason = ?"
_RECEIVED = "SELECT count(*) FROM jobs WHERE state = 'received'"
_STATES = "SELECT state FROM jobs WHERE user_id = ?"


async def room(
    home: Path, *, seed: int, songs: int, cap_gib: float, minutes: float
) -> list[Figure]:
    """Queue more songs for one provider than fit on the disk when decoded."""
    name, random = "room", Random(seed)
    settings = {
        DECODES: str(MASTER_BYTES),
        "STEMCORD_MAX_DISK_GIB": str(cap_gib),
        "STEMCORD_MAX_DURATION_MINUTES": str(minutes + 1),
    }
    kinds = await asyncio.to_thread(_silences, home, minutes * 60)
    async with open_harness(home / name, people=PEOPLE, settings=settings) as harness:
        async with harness.running_bot(), watched(used_bytes, harness.data / "jobs") as used:
            for number in range(songs):
                song = kinds[number % OPUS_EVERY == OPUS_EVERY - 1]
                person = random.choice(harness.users.people)
                await _send(harness, song, person, f"Take {number}", provider=FIRST)
            await harness.users.settle()
            await _plateau(harness)
            (harness.home / GO).touch()
            is_drained = await harness.drained(ENDS_WITHIN_S)
        texts = [harness.text(each) for each in harness.users.answers]
        full, busy = texts.count(FULL), texts.count(BUSY)
        ends, others = _ends(harness)
        return [
            note(
                name, f"songs, refused at once as full, as busy; {ends}", f"{songs}, {full}, {busy}"
            ),
            none_of(
                name, "songs withdrawn whose users were not told", _withdrawn_silently(harness)
            ),
            at_most(
                name, "audio on the disk, max", used.highest / GIB, cap_gib, " GiB", is_speed=False
            ),
            none_of(name, "songs that failed for anything but room", others),
            none_of(name, "broken promises", unfinished(is_drained) + broken_promises(harness)),
        ]


async def repeats(home: Path, *, times: int, cap_gib: float) -> list[Figure]:
    """Let one user send a song repeatedly, then let another user send one."""
    name = "repeats"
    settings = {
        DECODES: str(REPEATED_MASTER_BYTES),
        "STEMCORD_MAX_DISK_GIB": str(cap_gib),
        "STEMCORD_MAX_DURATION_MINUTES": "1",
    }
    song, other = await asyncio.to_thread(_silences, home, 10.0)
    async with open_harness(home / name, people=2, settings=settings) as harness:
        greedy, patient = harness.users.people
        async with harness.running_bot(), watched(used_bytes, harness.data / "jobs") as used:
            for _ in range(times):
                await _split(harness, song.read_bytes(), song.name, greedy)
                await harness.drained()
            await asyncio.sleep(LOOK_EVERY_S + 1)  # until the guard measures again
            await _split(harness, other.read_bytes(), other.name, patient)
            is_drained = await harness.drained()
        delivered = sum(row["state"] == "delivered" for row in harness.rows(_STATES, patient))
        return [
            note(name, "repeats", f"{times}"),
            exactly(name, "another user's song delivered afterwards", delivered, 1),
            at_most(
                name, "audio on the disk, max", used.highest / GIB, cap_gib, " GiB", is_speed=False
            ),
            none_of(name, "broken promises", unfinished(is_drained) + broken_promises(harness)),
        ]


async def filled(home: Path, *, seed: int, songs: int, seconds: float) -> list[Figure]:
    """Let another program fill a busy bot's disk almost completely."""
    name, random = "filled", Random(seed)
    settings = {DECODES: str(MASTER_BYTES)}
    kinds = await asyncio.to_thread(_silences, home, 120.0)
    async with open_harness(home / name, people=PEOPLE, settings=settings) as harness:
        harness.data.mkdir()
        with small_disk(harness.data, DISK_MIB) as is_mounted:
            if not is_mounted:
                return [note(name, _SKIPPED, "")]
            waiting = harness.users.people[:3]
            async with harness.running_bot():
                for person in waiting:
                    await _send(harness, kinds[0], person, "Rest", script=Script.ENDLESS)
                await harness.users.settle()
                ballast = harness.data / "ballast"
                (harness.home / GO).touch()
                filling = asyncio.create_task(keep_free(ballast, LEFT_MIB))
                async with watched(free_bytes, harness.data) as free:
                    for number in range(songs):
                        person = random.choice(harness.users.people[3:])
                        await _send(harness, kinds[0], person, f"Take {number}")
                        await asyncio.sleep(seconds / songs)
                    cancelled = await _cancel_all(harness, waiting)
                filling.cancel()
                ballast.unlink()
                await harness.users.settle()
                await _cancel_all(harness, waiting)  # the jobs that could not be cancelled before
                is_drained = await harness.drained(ENDS_WITHIN_S)
            ends, others = _ends(harness)
            promises = unfinished(is_drained) + broken_promises(harness)
        return [
            note(name, f"songs sent meanwhile; {ends}", f"{songs}"),
            exactly(name, "jobs cancelled meanwhile", cancelled, len(waiting)),
            Figure(
                scene=name,
                what="free for the database, min",
                measured=f"{free.lowest / MIB:.3g} MiB",
                limit=f">= {LEAST_FREE_MIB} MiB",
                is_met=free.lowest >= LEAST_FREE_MIB * MIB,
            ),
            none_of(name, "songs that failed for anything but room", others),
            none_of(name, "broken promises", promises),
        ]


async def full_start(home: Path, *, seconds: float) -> list[Figure]:
    """Start a bot with jobs to resume on a completely full disk."""
    name = "full start"
    async with open_harness(home / "full-start", people=10) as harness:
        harness.data.mkdir()
        with small_disk(harness.data, DISK_MIB) as is_mounted:
            if not is_mounted:
                return [note(name, _SKIPPED, "")]
            bot = await harness.start()
            await harness.online(bot)
            for person in harness.users.people:
                await harness.users.split(Script.SLOW, person)
            await bot.kill()
            ballast = harness.data / "ballast"
            await asyncio.to_thread(fill_up, ballast)
            bot = await harness.start()
            await asyncio.sleep(seconds)
            ballast.unlink()
            if not (survives := await harness.online(bot)):
                bot = await harness.start()
                await harness.online(bot)
            is_drained = await harness.drained()
            await bot.stop()
            ends, others = _ends(harness)
            promises = unfinished(is_drained) + broken_promises(harness)
        return [
            note(name, "jobs to resume", ends),
            exactly(name, "bots that wait for room instead of ending", int(survives), 1),
            none_of(name, "songs that failed for it", others),
            none_of(name, "broken promises", promises),
        ]


def _silences(home: Path, seconds: float) -> tuple[Path, Path]:
    folder = home / "silence"
    folder.mkdir()
    flac, opus = (
        write_silence(folder / f"Rest.{kind}", seconds=seconds) for kind in ("flac", "opus")
    )
    return flac, opus


async def _send(
    harness: ChaosHarness,
    song: Path,
    person: int,
    title: str,
    *,
    script: Script = Script.UNTIL_TOLD,
    **options: str,
) -> None:
    """Send a song with a unique title, without waiting for the answer."""
    content = await asyncio.to_thread(titled, song, title)
    upload = await harness.users.upload(f"{script}{song.suffix}", content)
    harness.users.command_soon("split", person, file={"upload": upload}, **options)


async def _plateau(harness: ChaosHarness) -> None:
    """Wait until every song is decoded, or until none has been for a while."""
    left, changed_at = -1, time.monotonic()
    while left and time.monotonic() < changed_at + PLATEAU_S:
        await asyncio.sleep(0.5)
        if (now := harness.rows(_RECEIVED)[0][0]) != left:
            left, changed_at = now, time.monotonic()


async def _split(harness: ChaosHarness, content: bytes, filename: str, person: int) -> None:
    upload = await harness.users.upload(filename, content)
    await harness.users.command("split", person, file={"upload": upload})


async def _cancel_all(harness: ChaosHarness, people: Sequence[int]) -> int:
    """Cancel these users' jobs, and return how many are cancelled promptly."""
    for person in people:
        for row in harness.rows("SELECT id FROM jobs WHERE user_id = ?", person):
            await harness.users.command("cancel", person, job=row["id"])
    ends_at = time.monotonic() + CANCELLED_WITHIN_S
    while (cancelled := _cancelled(harness, people)) < len(people) and time.monotonic() < ends_at:
        await asyncio.sleep(0.2)
    return cancelled


def _cancelled(harness: ChaosHarness, people: Sequence[int]) -> int:
    rows = [row for person in people for row in harness.rows(_STATES, person)]
    return sum(row["state"] == "cancelled" for row in rows)


def _withdrawn_silently(harness: ChaosHarness) -> list[str]:
    """Return the jobs stored too late for their command whose user was not told to try again.

    On a busy machine the store may take longer than a command may wait. Discord itself tells the
    user when a command gets no answer.
    """
    answers = {each.interaction_id: each for each in harness.users.answers}
    withdrawn = [
        (row["id"], answers.get(row["interaction_id"]))
        for row in harness.rows(_WITHDRAWN, Reason.UNACKNOWLEDGED)
    ]
    return [
        f"{job_id}: {harness.text(answer)!r}"
        for job_id, answer in withdrawn
        if answer is not None and answer.message_id is not None and harness.text(answer) != BUSY
    ]


def _ends(harness: ChaosHarness) -> tuple[str, list[str]]:
    """Return a summary of the jobs' ends, and the failures not caused by a lack of space."""
    rows = harness.rows(_ENDS)
    words = [f"{row['jobs']} {row['state']} {row['reason'] or ''}".strip() for row in rows]
    others = [
        words[number]
        for number, row in enumerate(rows)
        if row["state"] == "failed" and row["reason"] != Reason.DISK_FULL
    ]
    return ", ".join(words), others
