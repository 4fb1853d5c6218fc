"""An operator's maintenance of a running bot: audits, copies and restores."""

import asyncio
from datetime import timedelta
from pathlib import Path

from bot.domain.job import State, UserId
from bot.providers.interface import Running
from storage.upkeep.finding import Finding
from storage.upkeep.invariants import Terms, audit
from storage.upkeep.snapshots import back_up, restore
from tests.support.harness import Harness

KEEP = timedelta(hours=24)


def look(harness: Harness, *, drained: bool = False) -> list[Finding]:
    terms = Terms(now=harness.clock.now(), keep=KEEP, drained=drained)
    return audit(harness.root / "stemcord.db", harness.root / "jobs", terms)


def broken(findings: list[Finding]) -> list[str]:
    return [str(each) for each in findings if not each.is_good]


async def test_every_moment_of_a_busy_house_is_clean(harness: Harness) -> None:
    users = [UserId(number) for number in range(1, 9)]
    splits = asyncio.gather(*(harness.split(user_id=user) for user in users for _ in range(2)))
    looked_at: list[list[Finding]] = []
    while not looked_at or look_again(looked_at[-1]):
        findings = await asyncio.to_thread(look, harness)
        assert broken(findings) == []
        looked_at.append(findings)
        await asyncio.sleep(0)
    for job in await splits:
        await harness.until(job.id)
    assert broken(look(harness, drained=True)) == []
    assert len(looked_at) > 3


def look_again(findings: list[Finding]) -> bool:
    """Return whether the audit saw unfinished work."""
    seen = {each.claim: each.looked_at for each in findings}
    return seen["a hold ends with its job, once"] < 16


async def test_a_restored_house_goes_on_where_the_copy_was_made(
    harness: Harness, tmp_path: Path
) -> None:
    harness.provider.on_poll = [Running(0.5)] * 10_000
    job = await harness.split()
    await harness.until(job.id, State.PROCESSING)
    copy = await asyncio.to_thread(back_up, tmp_path / "stemcord.db", tmp_path / "copy.db")
    harness.provider.on_poll.clear()
    await harness.until(job.id, State.DELIVERED)
    late = await harness.split()
    await harness.until(late.id)
    await harness.close()

    restore(copy.path, tmp_path / "stemcord.db", harness.clock.now())
    again = await Harness.build(harness.root, clock=harness.clock)
    await again.services.retention.sweep_orphans()
    assert await again.resume() == 1
    assert (await again.until(job.id)).state is State.DELIVERED
    assert await again.jobs.get(late.id) is None
    assert not again.provider.submits
    assert (await again.usage()).used == 4
    assert broken(look(again, drained=True)) == []
    await again.close()
