"""A song at a vendor's real service, with the operator's own key. It costs a minute of credit.

Run it with `pytest -m live tests/live`. Set the vendor's key, and `STEMCORD_LIVE_SONG` to the
public address of a short song.
"""

import asyncio
import os

import pytest

from bot.domain.clock import SystemClock
from bot.net.downloads import Downloads
from bot.net.ip_rules import TrustedHosts
from bot.net.transport import GuardedTransport
from bot.providers.interface import Accepted, Finished, ProviderContext, Running
from bot.providers.registry import BUILT_IN
from tests.contract.vendor import call, song

pytestmark = pytest.mark.live


@pytest.fixture(params=BUILT_IN.values(), ids=list(BUILT_IN))
def provider(request):
    guarded = GuardedTransport(trusted=TrustedHosts())
    made = request.param.create(
        ProviderContext(
            settings=os.environ,
            transport=guarded,
            downloads=Downloads(transport=guarded),
            clock=SystemClock(),
            max_result_bytes=1 << 29,
        )
    )
    if made is None:
        pytest.skip(f"{request.param.declared.key_setting} is not set")
    return made


async def test_a_song_comes_back_as_the_declared_stems(provider, tmp_path):
    url = os.environ.get("STEMCORD_LIVE_SONG")
    if url is None:
        pytest.skip("STEMCORD_LIVE_SONG is not set")
    model = provider.capabilities.models[0]
    answer = await provider.submit(call(model), song(url))
    if isinstance(answer, Accepted):
        ref, answer = answer.ref, Running()
        async with asyncio.timeout(600):
            while isinstance(answer, Running):
                await asyncio.sleep(provider.capabilities.poll_interval_s)
                answer = await provider.poll(ref)
    assert isinstance(answer, Finished)
    assert model.stems <= {file.stem for file in answer.files}
    for number, file in enumerate(answer.files):
        await provider.fetch(file, tmp_path / str(number))
        assert (tmp_path / str(number)).stat().st_size > 1000
    await provider.aclose()
