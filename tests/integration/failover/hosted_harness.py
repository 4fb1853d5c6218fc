"""The real services and adapters over HTTP against the simulated vendors, with fake audio."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from bot.domain.clock import SystemClock
from bot.domain.errors import StoreUnavailable
from bot.domain.job import Job, Source, UserId
from bot.domain.recipes import Recipe
from bot.net.api_client import Timeouts
from bot.net.downloads import Downloads
from bot.net.ip_rules import TrustedHosts
from bot.net.transport import GuardedTransport
from bot.providers.audiocleaner import AudioCleaner
from bot.providers.finevoice import FineVoice
from bot.providers.interface import Provider, ProviderContext
from bot.providers.soundverse import Soundverse
from sandbox.server import Sandbox
from sandbox.vendors.forms import KEY
from sandbox.vendors.vendor import Vendor
from storage.upkeep.invariants import Terms, audit
from tests.support.fakes import FakeAudio
from tests.support.harness import REQUEST, Harness
from tests.support.transport_fakes import no_tls

SONG_S = 0.5
MAX_RESULT_BYTES = 1 << 20
PLACES = 25
"""More than vendors declare, so that a hundred jobs do not wait long."""
QUICK = Timeouts(slot_s=30.0, connect_s=2.0, write_s=1.0, read_s=1.0, total_s=1.5)
WORKING = Timeouts(slot_s=30.0, connect_s=10.0, write_s=10.0, read_s=30.0, total_s=30.0)

_users = count(1)


class BriefAudioCleaner(AudioCleaner):
    declared = replace(AudioCleaner.declared, concurrency=PLACES)
    timeouts = QUICK


class BriefFineVoice(FineVoice):
    declared = replace(FineVoice.declared, concurrency=PLACES)
    timeouts = QUICK


class BriefSoundverse(Soundverse):
    declared = replace(Soundverse.declared, concurrency=PLACES)
    timeouts = QUICK


class PatientAudioCleaner(AudioCleaner):
    timeouts = WORKING


class PatientFineVoice(FineVoice):
    timeouts = WORKING


BRIEF: dict[str, type[AudioCleaner | FineVoice | Soundverse]] = {
    "audiocleaner": BriefAudioCleaner,
    "finevoice": BriefFineVoice,
    "soundverse": BriefSoundverse,
}
NEXT = {"audiocleaner": "finevoice", "finevoice": "audiocleaner", "soundverse": "audiocleaner"}
"""The provider that takes over from each provider in these tests."""
PATIENT: dict[str, type[AudioCleaner | FineVoice]] = {
    "audiocleaner": PatientAudioCleaner,
    "finevoice": PatientFineVoice,
}


@dataclass
class HostedHarness:
    """The composed services, and the vendors that they use."""

    harness: Harness
    sandbox: Sandbox
    song: Source

    def vendor(self, name: str) -> Vendor:
        found = self.sandbox.vendors.find(name)
        assert found is not None
        return found

    async def send(self, jobs: int, *, recipe: Recipe = Recipe.VOCALS, **changes: Any) -> list[Job]:
        """Send one song each for `jobs` users."""
        return [
            await self._ask(
                user_id=UserId(next(_users)), source=self.song, recipe=recipe, **changes
            )
            for _ in range(jobs)
        ]

    async def _ask(self, **request: Any) -> Job:
        """Retry, as a user does, when the bot is busy."""
        while True:
            try:
                return await self.harness.split(**request)
            except StoreUnavailable:
                await asyncio.sleep(0.1)

    async def ends(self, jobs: Sequence[Job], *, within_s: float = 60.0) -> list[Job]:
        """Wait until every job is final, and return the jobs."""
        return [await self.harness.until(job.id, within_s=within_s) for job in jobs]

    async def settled(self, name: str) -> None:
        """Wait until a vendor has ended all its work, including abandoned work."""
        while self.vendor(name).tasks.running:
            await asyncio.sleep(0.01)

    async def attempts(self, jobs: Sequence[Job], provider: str) -> list[str]:
        """Return the states of the jobs' attempts at a provider."""
        return [
            attempt.state.value
            for job in jobs
            for attempt in await self.harness.jobs.attempts(job.id)
            if attempt.provider == provider
        ]

    def broken_promises(self) -> list[str]:
        """Return what an audit finds violated, except stale replies: none are written here."""
        terms = Terms(now=SystemClock().now(), keep=timedelta(hours=24), drained=False)
        findings = audit(self.harness.root / "stemcord.db", self.harness.root / "jobs", terms)
        return [str(each) for each in findings if not each.is_good and each.invariant != 5]


@asynccontextmanager
async def open_hosted_harness(
    root: Path, song: Path, *providers: type[AudioCleaner | FineVoice | Soundverse], **settings: Any
) -> AsyncIterator[HostedHarness]:
    """Open a sandbox and a bot that prefers these providers in this order."""
    async with Sandbox() as sandbox:
        for vendor in sandbox.vendors.all:
            vendor.behaviour.latency_s = 0.0
            vendor.behaviour.drip_s = 0.2
        harness = await Harness.build(
            root,
            *_adapters(sandbox, providers),
            clock=SystemClock(),  # type: ignore[arg-type] # a real one, matching by shape
            **{"max_active_jobs": 1000, **settings},
        )
        harness.audio = _short(harness.audio)
        try:
            yield HostedHarness(
                harness=harness, sandbox=sandbox, song=await _uploaded(sandbox, song)
            )
        finally:
            await harness.close()
            for provider in harness.providers.values():
                await provider.aclose()


def _adapters(
    sandbox: Sandbox, kinds: Sequence[type[AudioCleaner | FineVoice | Soundverse]]
) -> list[Provider]:
    host = sandbox.base_url.removeprefix("http://")
    guarded = GuardedTransport(trusted=TrustedHosts.parse([host]), tls=no_tls())
    settings = {}
    for vendor in sandbox.vendors.all:
        settings[f"{vendor.name.upper()}_API_KEY"] = KEY
        settings[f"{vendor.name.upper()}_BASE_URL"] = f"{sandbox.base_url}/vendors/{vendor.name}"
    context = ProviderContext(
        settings=settings,
        transport=guarded,
        downloads=Downloads(transport=guarded),
        clock=SystemClock(),
        max_result_bytes=MAX_RESULT_BYTES,
    )
    made = [kind.create(context) for kind in kinds]
    return [each for each in made if each is not None]


def _short(audio: FakeAudio) -> FakeAudio:
    audio.duration_s = SONG_S
    return audio


async def _uploaded(sandbox: Sandbox, song: Path) -> Source:
    content = await asyncio.to_thread(song.read_bytes)
    async with httpx.AsyncClient(verify=False) as http:
        answer = await http.post(
            f"{sandbox.base_url}/sandbox/uploads", files={"file": (song.name, content)}
        )
    return replace(REQUEST.source, url=str(answer.json()["url"]), size_bytes=len(content))
