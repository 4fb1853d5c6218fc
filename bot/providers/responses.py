"""Reading a vendor's answer: wire models, what a bare status means, and texts fit for a log."""

import logging
import re
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

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

log = logging.getLogger(__name__)

Read = TypeVar("Read")

_WORD: Final = re.compile(r'[^\[\]{}:,"\s]+')
_ADDRESS_OR_KEY: Final = re.compile(r"\S*[/=?&%@\\]\S*|(?=\S*\d)\S{10,}|\S{25,}")
_SHOWN: Final = 160


class Wire(BaseModel):
    """Base of wire models; unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def read(shape: TypeAdapter[Read], answer: Answer) -> Read | None:
    """Return the body in this shape, or None when it has another one."""
    try:
        return shape.validate_json(answer.text)
    except ValidationError:
        return None


def meaning(answer: Answer, *, is_submit: bool) -> ProviderError:
    """Return what an answer says by its status alone, for when its body says nothing."""
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
            # A gateway says this also when it lost the service behind it in the middle of a call.
            return SubmitUncertain(text) if is_submit else ProviderDown(text)
        case _:
            return misread(answer, text)


def misread(answer: Answer, what: str) -> ProviderProtocol:
    """Log the outline of an answer that the documents do not allow, and return the error."""
    log.warning("not understood: %s: %s", what, outline(answer.text))
    return ProviderProtocol(what)


def outline(body: str) -> str:
    """Return a body's punctuation, each word of it replaced: for a log, which its data is not."""
    return _WORD.sub("…", body[:2000])[:_SHOWN]


def scrubbed(message: str) -> str:
    """Return a vendor's message without what looks like an address or a key, on one short line."""
    return " ".join(_ADDRESS_OR_KEY.sub("…", message).split())[:_SHOWN]
