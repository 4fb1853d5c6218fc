"""The adapter against a mock built from FineVoice's OpenAPI document.

`finevoice_openapi.yaml` is the document as published. openapi-core validates every request and
every response of the mock against it.
"""

from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing.requests import MockRequest
from openapi_core.testing.responses import MockResponse

from bot.domain.attempt import RemoteRef
from bot.domain.errors import ProviderAuth, ProviderRefused
from bot.domain.recipes import Stem
from bot.providers.finevoice import CAPABILITIES
from bot.providers.interface import Accepted, Finished
from tests.contract.finevoice import VENDOR
from tests.contract.vendor import call, song

DOCUMENT = Path(__file__).with_name("finevoice_openapi.yaml")

ACCEPTED = {"status": 202, "taskId": "a1b2c3d4-e5f6-7890-abcd-ef1234567890"}
DONE = {
    "status": 200,
    "urls": ["https://files.invalid/a_vocals.mp3", "https://files.invalid/b.mp3"],
}


class Mock:
    """Responds as documented, including with 401 and 422."""

    def __init__(self, answer: dict[str, Any]) -> None:
        # Strict: undocumented fields are refused.
        config = Config(additional_properties_default_policy="forbid")
        self._api = OpenAPI.from_file_path(str(DOCUMENT), config=config)
        self._answer = answer
        self.complaints: list[str] = []
        self.transport = httpx.MockTransport(self._serve)

    def _serve(self, request: httpx.Request) -> httpx.Response:
        asked = MockRequest(
            host_url=f"{request.url.scheme}://{request.url.host}",
            method=request.method,
            path=request.url.path,
            headers=dict(request.headers),
            data=request.content,
            content_type=request.headers.get("content-type", ""),
        )
        try:
            self._api.validate_request(asked)
        except OpenAPIError as exc:
            self.complaints.append(f"{type(exc).__name__}: {exc.__cause__ or exc}")
            return httpx.Response(401 if "Security" in type(exc).__name__ else 422)
        response = httpx.Response(200, json=self._answer)
        self._api.validate_response(asked, MockResponse(response.content))
        return response


@pytest.mark.parametrize("model", [model.name for model in CAPABILITIES.models])
async def test_the_mock_takes_every_request(model: str) -> None:
    mock = Mock(ACCEPTED)
    accepted = await VENDOR.over(mock.transport).submit(call(VENDOR.model(model)), song())
    assert mock.complaints == []
    assert accepted == Accepted(RemoteRef(f"{model}:{ACCEPTED['taskId']}"))


async def test_results_in_the_documents_shape_are_understood() -> None:
    mock = Mock(DONE)
    finished = await VENDOR.over(mock.transport).submit(call(VENDOR.model()), song())
    stems = [file.stem for file in finished.files] if isinstance(finished, Finished) else []
    assert stems == [Stem.VOCALS, Stem.INSTRUMENTAL]


@pytest.mark.parametrize("model", [model.name for model in CAPABILITIES.models])
def test_the_document_names_every_model_that_is_declared(model: str) -> None:
    assert f"`{model}`" in DOCUMENT.read_text()


def spoiled(transport: httpx.MockTransport, **changes: Any) -> httpx.MockTransport:
    """Alter each request so that the mock refuses it."""

    async def serve(request: httpx.Request) -> httpx.Response:
        headers = dict(request.headers) | changes.get("headers", {})
        headers = {name: value for name, value in headers.items() if value is not None}
        headers.pop("content-length", None)
        url = changes.get("url", request.url)
        changed = httpx.Request(
            request.method, url, headers=headers, content=changes.get("body", request.content)
        )
        return await transport.handle_async_request(changed)

    return httpx.MockTransport(serve)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"body": b'{"sourceURL": "https://s.invalid/a", "model": "reverb"}'}, ProviderRefused),
        ({"body": b'{"sourceUrl": 7, "model": "reverb"}'}, ProviderRefused),
        ({"headers": {"content-type": "text/plain"}}, ProviderRefused),
        ({"headers": {"authorization": None}}, ProviderAuth),
        ({"url": "https://apis.finevoice.ai/v1/audio/separate"}, ProviderRefused),
    ],
    ids=["a field's name", "a field's type", "the content type", "the key", "the path"],
)
async def test_the_mock_refuses_what_the_document_does_not_allow(
    changes: dict[str, Any], error: type[Exception]
) -> None:
    mock = Mock(ACCEPTED)
    with pytest.raises(error):
        await VENDOR.over(spoiled(mock.transport, **changes)).submit(call(VENDOR.model()), song())
    assert len(mock.complaints) == 1
