"""The bot's adapters against the simulated vendors."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.attempt import RemoteFile
from bot.domain.clock import SystemClock
from bot.domain.errors import (
    ProviderAuth,
    ProviderBusy,
    ProviderDown,
    ProviderError,
    ProviderProtocol,
    ProviderQuotaSpent,
    ProviderRefused,
    SubmitUncertain,
)
from bot.domain.job import JobId
from bot.net.downloads import Downloads
from bot.net.ip_rules import TrustedHosts
from bot.net.transport import GuardedTransport
from bot.providers.interface import (
    Accepted,
    Call,
    Failed,
    Finished,
    Provider,
    ProviderContext,
    Source,
)
from bot.providers.registry import build
from sandbox.bot_process import environment
from sandbox.server import Sandbox
from sandbox.vendors.modes import Mode
from sandbox.vendors.vendor import Vendor
from tests.integration.sandbox.vendors.conftest import SONG_S, sound_of
from tests.integration.sandbox.vendors.customers import CUSTOMERS
from tests.support.transport_fakes import no_tls

MAX_RESULT_BYTES = 4 << 20
SUBMIT: dict[Mode, type[ProviderError]] = {
    Mode.BAD_KEY: ProviderAuth,
    Mode.NO_CREDIT: ProviderQuotaSpent,
    Mode.RATE_LIMIT: ProviderBusy,
    Mode.CONCURRENCY: ProviderBusy,
    Mode.SUSPENDED: ProviderAuth,
    Mode.KEY_NOT_ENABLED: ProviderAuth,
    Mode.UNKNOWN_CODE: ProviderProtocol,
    Mode.MODERATION: ProviderRefused,
    Mode.ARTIST_NAME: ProviderRefused,
    Mode.DOWN: SubmitUncertain,
    Mode.ERROR_500: SubmitUncertain,
    Mode.RESET_AFTER_SUBMIT: SubmitUncertain,
    Mode.MALFORMED: ProviderProtocol,
    Mode.MISTYPED: ProviderProtocol,
}
FETCH: dict[Mode, type[ProviderError]] = {
    Mode.TRUNCATED_RESULT: ProviderDown,
    Mode.OVERSIZE_RESULT: ProviderProtocol,
    Mode.REDIRECT_PRIVATE: ProviderProtocol,
    Mode.GZIP_BOMB: ProviderProtocol,
}


@pytest.fixture(params=CUSTOMERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def vendor(sandbox: Sandbox, name: str) -> Vendor:
    found = sandbox.vendors.find(name)
    assert found is not None
    return found


@pytest.fixture
async def provider(sandbox: Sandbox, name: str, tmp_path: Path) -> AsyncIterator[Provider]:
    """The adapter, built from the settings of a bot in the sandbox."""
    settings = environment(sandbox, tmp_path, vendors=True)
    trusted = TrustedHosts.parse([settings["STEMCORD_TRUSTED_HOSTS"]])
    transport = GuardedTransport(trusted=trusted, tls=no_tls())
    context = ProviderContext(
        settings=settings,
        transport=transport,
        downloads=Downloads(transport=transport),
        clock=SystemClock(),
        max_result_bytes=MAX_RESULT_BYTES,
    )
    [provider] = build([name], context, ready={}, installed=()).providers
    yield provider
    await provider.aclose()
    await context.downloads.aclose()


async def submitted(
    provider: Provider, song: str, folder: Path, *, model: int = 0
) -> Accepted | Finished:
    call = Call(
        job_id=JobId("k7f2q"),
        attempt=1,
        model=provider.capabilities.models[model],
        workdir=folder,
    )
    source = Source(
        mixture=folder / "mixture",
        frames=int(SONG_S * 44_100),
        url=song,
    )
    return await provider.submit(call, source)


async def ended(provider: Provider, outcome: Accepted | Finished) -> Finished | Failed:
    if isinstance(outcome, Finished):
        return outcome
    async with asyncio.timeout(30):
        while not isinstance(answer := await provider.poll(outcome.ref), Finished | Failed):
            await asyncio.sleep(0.02)
    return answer


async def results(
    provider: Provider, song: str, folder: Path, *, model: int = 0
) -> tuple[RemoteFile, ...]:
    finished = await ended(provider, await submitted(provider, song, folder, model=model))
    assert isinstance(finished, Finished)
    return finished.files


async def test_every_declared_model_brings_its_declared_stems(
    provider: Provider, song: str, tmp_path: Path
) -> None:
    for index, model in enumerate(provider.capabilities.models):
        files = await results(provider, song, tmp_path, model=index)
        stems = {file.stem for file in files}
        assert model.stems <= stems <= model.stems | model.may_add


async def test_fetched_stem_sounds_and_is_as_long_as_the_song(
    provider: Provider, song: str, tmp_path: Path
) -> None:
    [first, *_] = await results(provider, song, tmp_path)
    await provider.fetch(first, tmp_path / "stem")
    stem = sound_of((tmp_path / "stem").read_bytes(), tmp_path)
    assert stem.shape == (2, int(SONG_S * 44_100))


async def test_refusals_and_faults_of_a_submit_are_told_apart(
    provider: Provider, vendor: Vendor, song: str, tmp_path: Path
) -> None:
    told = {}
    for mode in SUBMIT.keys() & vendor.modes:
        vendor.behaviour.change(mode)
        with pytest.raises(ProviderError) as refused:
            await submitted(provider, song, tmp_path)
        told[mode] = type(refused.value)
    assert told == {mode: SUBMIT[mode] for mode in told}


async def test_accepted_work_that_fails_has_failed_or_is_uncertain(
    provider: Provider, vendor: Vendor, song: str, tmp_path: Path
) -> None:
    vendor.behaviour.change(Mode.ACCEPT_THEN_FAIL)
    if provider.capabilities.is_synchronous:
        with pytest.raises(SubmitUncertain):
            await submitted(provider, song, tmp_path)
    else:
        outcome = await ended(provider, await submitted(provider, song, tmp_path))
        assert isinstance(outcome, Failed)


async def test_bad_results_are_refused_and_good_ones_taken_after(
    provider: Provider, vendor: Vendor, song: str, tmp_path: Path
) -> None:
    [first, *_] = await results(provider, song, tmp_path)
    for mode, expected in FETCH.items():
        vendor.behaviour.change(mode, times=1)
        with pytest.raises(expected):
            await provider.fetch(first, tmp_path / "stem")
        assert not (tmp_path / "stem").exists()
    await provider.fetch(first, tmp_path / "stem")
    assert "followed to a private address" not in [entry["outcome"] for entry in vendor.log]


@pytest.mark.parametrize("name", ["finevoice"], indirect=True)
@pytest.mark.parametrize("at_once", [False, True])
async def test_stems_that_no_file_name_tells_stay_unnamed(
    at_once: bool, sandbox: Sandbox, provider: Provider, song: str, tmp_path: Path
) -> None:
    sandbox.vendors.finevoice.named_files = False
    sandbox.vendors.finevoice.at_once = at_once
    files = await results(provider, song, tmp_path)
    assert [file.stem for file in files] == [None, None]
