"""The adapter for Soundverse: https://help.soundverse.ai, "Stem Separation API - v1".

The API has one synchronous call, whose answer is the list of results and may take minutes. If the
connection breaks, the submit is uncertain. The documentation gives no HTTP status for errors, so
the body is read first. It gives no prices either. Where two calls can serve a recipe, the one with
fewer results is declared first, so a single instrument comes from `instruments`.
"""

from typing import Final, Literal

from pydantic import AliasChoices, Field, TypeAdapter

from bot.domain.attempt import RemoteFile, RemoteRef
from bot.domain.errors import ProviderError, ProviderRefused, SubmitUncertain
from bot.domain.recipes import Stem
from bot.net.api_client import Answer, Timeouts
from bot.providers.hosted import Hosted, song_url
from bot.providers.interface import Call, Capabilities, Finished, Lost, Model, Source
from bot.providers.responses import (
    Wire,
    check_results,
    protocol_error,
    read,
    scrub,
    status_error,
)


class _Audio(Wire):
    name: str = Field(validation_alias="audioName")
    url: str = Field(validation_alias="audioUrl", min_length=1)


class _Refusal(Wire):
    """An error with the texts of the vendor's content moderation; here it means that the file is
    refused.
    """

    success: Literal[False]
    message: str = ""


class _Failure(Wire):
    detail: object = Field(validation_alias=AliasChoices("Detail", "detail"))


_RESULTS: Final = TypeAdapter(list[_Audio])

_BAND: Final = frozenset({Stem.DRUMS, Stem.BASS, Stem.GUITAR, Stem.PIANO, Stem.OTHER})
_STEMS: Final = {stem.value: stem for stem in _BAND | {Stem.VOCALS}}

_OPERATOR_STATUSES: Final = frozenset({401, 402, 429})
"""Statuses of errors about the key, the credit or the rate, regardless of the body."""
_PLAIN_STATUSES: Final = frozenset({403, 404, 405, 503})
"""Statuses to which a `detail` in the body adds nothing."""

CAPABILITIES: Final = Capabilities(
    name="soundverse",
    title="Soundverse",
    base_url="https://api.soundverse.ai",
    models=(
        Model(name="vocals", stems=frozenset({Stem.VOCALS})),
        Model(name="instruments", stems=_BAND, sums_to_instrumental=True),
        Model(name="all-stems", stems=_BAND | {Stem.VOCALS}, sums_to_song=True),
    ),
    is_synchronous=True,
    concurrency=2,
)


class Soundverse(Hosted):
    """Sends a song and waits for its stems."""

    declared = CAPABILITIES
    timeouts = Timeouts(read_s=900.0, total_s=960.0)

    async def submit(self, call: Call, source: Source) -> Finished:
        """Separate a song, which may take minutes."""
        answer = await self._http.submit(
            f"/v1/generate/stem-separation/{call.model.name}",
            headers=self._headers,
            json={"audioUrl": song_url(source)},
        )
        results = read(_RESULTS, answer)
        if results is None:
            raise _error(answer)
        files = tuple(
            RemoteFile(each.url, _STEMS[name])
            for each in results
            if _STEMS.get(name := each.name.strip().lower()) in call.model.results
        )
        if not files:
            raise protocol_error(answer, "an answer without results")
        check_results(files, call.model, answer)
        return Finished(files)

    async def poll(self, ref: RemoteRef) -> Lost:
        """Return Lost, because the service has no references."""
        return Lost()


def _error(answer: Answer) -> ProviderError:
    if answer.status in _OPERATOR_STATUSES:
        return status_error(answer, is_submit=True)
    refusal = read(_Refusal, answer)
    if refusal is not None:
        return ProviderRefused(scrub(refusal.message))
    if read(_Failure, answer) is None or answer.status in _PLAIN_STATUSES:
        return status_error(answer, is_submit=True)
    if answer.status == 422:
        return ProviderRefused("the address of the file was not accepted")
    # The generation was started and failed, so its cost is unknown.
    return SubmitUncertain(f"reported a failure with status {answer.status}")
