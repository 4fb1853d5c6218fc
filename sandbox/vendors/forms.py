"""Reads the API key and the JSON body of a customer's request."""

import secrets
from typing import Annotated, Final, TypeAlias, TypeVar

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from sandbox.vendors.source import is_web_address

KEY: Final = "sandbox-key"


def _checked(text: str) -> str:
    if not is_web_address(text):
        raise ValueError("this is no web address")
    return text


WebAddress: TypeAlias = Annotated[str, AfterValidator(_checked)]


class Form(BaseModel):
    """The base class of request bodies. Types are not converted."""

    model_config = ConfigDict(strict=True)


_Form = TypeVar("_Form", bound=Form)


class WrongForm(Exception):
    """The JSON does not match the documentation. The message says where."""


async def read_form(request: web.Request, form: type[_Form]) -> _Form:
    """Parse a request's JSON. Raises WrongForm."""
    if request.content_type != "application/json":
        raise WrongForm("the Content-Type is not application/json")
    try:
        return form.model_validate_json(await request.read())
    except ValidationError as exc:
        first = exc.errors()[0]
        raise WrongForm(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from exc


def is_key(value: str | None) -> bool:
    """Return whether this is the valid key."""
    return secrets.compare_digest((value or "").encode(), KEY.encode())


def has_bearer(request: web.Request) -> bool:
    """Return whether the request carries the valid key as a bearer token."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and is_key(value)
