"""Reads vendors' answers: wire models, errors by HTTP status, and texts that are safe to log."""

import logging
import re
from collections.abc import Sequence
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from bot.domain.attempt import RemoteFile
from bot.domain.errors import (
    ProviderAuth,
    ProviderBusy,
    ProviderDown,
    ProviderError,
    ProviderProtocol,
    ProviderQuotaSpent,
    SubmitUncertain,
)
from bot.net.api_client import Answer
from bot.providers.interface import Model

log = logging.getLogger(__name__)

T = TypeVar("T")

_WORD: Final = re.compile(r'[^\[\]{}:,"\s]+')
_ADDRESS_OR_KEY: Final = re.compile(r"\S*[/=?&%@\\]\S*|(?=\S*\d)\S{10,}|\S{25,}")
_MAX_LOGGED: Final = 160


class Wire(BaseModel):
    """The base of wire models; unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def read(shape: type[T] | TypeAdapter[T], answer: Answer) -> T | None:
    """Return the body parsed as `shape`, or None if it does not match."""
    adapter = shape if isinstance(shape, TypeAdapter) else TypeAdapter(shape)
    try:
        return adapter.validate_json(answer.text)
    except ValidationError:
        return None


def status_error(answer: Answer, *, is_submit: bool) -> ProviderError:
    """Return the error that the HTTP status stands for, if the body adds nothing."""
    text = f"status {answer.status}"
    match answer.status:
        case 401 | 403:
            return ProviderAuth(text)
        case 402:
            return ProviderQuotaSpent(text)
        case 429:
            return ProviderBusy(text, retry_after_s=answer.retry_after_s)
        case 503 if answer.retry_after_s is not None:
            return ProviderBusy(text, retry_after_s=answer.retry_after_s)
        case status if status == 408 or status >= 500:
            # A gateway also answers with such a status if it lost the service during the request.
            return SubmitUncertain(text) if is_submit else ProviderDown(text)
        case _:
            return protocol_error(answer, text)


def protocol_error(answer: Answer, what: str) -> ProviderProtocol:
    """Log the outline of an answer that contradicts the vendor's documentation; return the
    error.
    """
    log.warning("not understood: %s: %s", what, outline(answer.text))
    return ProviderProtocol(what)


def check_results(files: Sequence[RemoteFile], model: Model, answer: Answer) -> None:
    """Raise ProviderProtocol if there are more results than the model declares."""
    if len(files) > len(model.results):
        what = f"{len(files)} results where {model.name} declares {len(model.results)}"
        raise protocol_error(answer, what)


def outline(body: str) -> str:
    """Return a body with every word replaced, so that it is safe to log."""
    return _WORD.sub("…", body[:2000])[:_MAX_LOGGED]


def scrub(message: str) -> str:
    """Return a vendor's message as one short line, without anything like an address or a key."""
    return " ".join(_ADDRESS_OR_KEY.sub("…", message).split())[:_MAX_LOGGED]
