"""Reads the address of an object store, and the variables of its service."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from bot.domain.errors import InvalidObjectStore

EXPECTED: Final = "an address such as s3://bucket/prefix or file:///folder"
VARIABLES: Final = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_CHECKSUM_ALGORITHM",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_DEFAULT_REGION",
        "AWS_DISABLE_BULK_DELETE",
        "AWS_IMDSV1_FALLBACK",
        "AWS_METADATA_ENDPOINT",
        "AWS_REGION",
        "AWS_REQUEST_PAYER",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_S3_EXPRESS",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SERVER_SIDE_ENCRYPTION",
        "AWS_SESSION_TOKEN",
        "AWS_SKIP_SIGNATURE",
        "AWS_SSE_BUCKET_KEY_ENABLED",
        "AWS_SSE_CUSTOMER_KEY_BASE64",
        "AWS_SSE_KMS_KEY_ID",
        "AWS_TOKEN",
        "AWS_UNSIGNED_PAYLOAD",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
    }
)
"""The variables that are passed to obstore unchanged. It refuses those that it does not know."""
_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_ALLOW_HTTP: Final = "AWS_ALLOW_HTTP"
_YES: Final = frozenset({"1", "true", "yes", "on", "y"})
_NO: Final = frozenset({"0", "false", "no", "off", "n"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long one request may take, and for how long it is retried."""

    connect: timedelta = timedelta(seconds=2)
    request: timedelta = timedelta(seconds=30)
    """Each 5 MiB part of a file has to be transferred within this time."""
    repeats: timedelta = timedelta(seconds=20)
    max_repeats: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket of a service that speaks S3."""

    name: str
    prefix: str
    config: Mapping[str, str] = field(repr=False)
    allow_http: bool
    certificates: Path | None = None
    """The operator's own certificate authorities, in PEM."""
    proxy: str | None = field(default=None, repr=False)
    """The proxy for https, which may hold a password."""
    direct: str = ""
    """The hosts that are reached without the proxy, separated by commas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedFolder:
    """A folder that all machines have mounted."""

    path: Path


def parse_address(url: str, variables: Mapping[str, str]) -> Bucket | SharedFolder:
    """Return where the objects are kept. Raises InvalidObjectStore."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for a port that is no number
    except ValueError:
        raise InvalidObjectStore(f"expected {EXPECTED}") from None
    path = unquote(parts.path)
    is_plain = not (parts.query or parts.fragment or parts.username or parts.password)
    if (
        is_plain
        and parts.scheme == "file"
        and parts.netloc in {"", "localhost"}
        and path.strip("/")
    ):
        return SharedFolder(path=Path(path))
    segments = [each for each in path.split("/") if each]
    if is_plain and parts.scheme == "s3" and parts.netloc and not {".", ".."} & {*segments}:
        return _bucket(parts.netloc, "/".join(segments), variables)
    raise InvalidObjectStore(f"expected {EXPECTED}")


def _bucket(name: str, prefix: str, variables: Mapping[str, str]) -> Bucket:
    config = {key: value for key, value in variables.items() if key in VARIABLES and value}
    endpoint = next((variables[key] for key in _ENDPOINTS if variables.get(key)), None)
    allow_http = _is_set(_ALLOW_HTTP, variables)
    if endpoint is not None:
        config["AWS_ENDPOINT"] = _checked_endpoint(endpoint, allow_http=allow_http)
    certificates = variables.get("SSL_CERT_FILE")
    is_secure = not config.get("AWS_ENDPOINT", "").startswith("http:")
    return Bucket(
        name=name,
        prefix=prefix,
        config=config,
        allow_http=allow_http,
        certificates=Path(certificates) if certificates else None,
        proxy=_proxy(variables) if is_secure else None,
        direct=_either("NO_PROXY", variables),
    )


def _proxy(variables: Mapping[str, str]) -> str | None:
    url = _either("HTTPS_PROXY", variables)
    return url if not url or "://" in url else f"http://{url}"


def _either(name: str, variables: Mapping[str, str]) -> str:
    """Return a variable whose name may also be in lower case."""
    return variables.get(name.lower()) or variables.get(name) or ""


def _checked_endpoint(endpoint: str, *, allow_http: bool) -> str:
    """Return the address of the service. obstore panics if it is not a web address."""
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname or " " in endpoint:
        raise InvalidObjectStore("AWS_ENDPOINT: expected a web address such as https://s3.example")
    if parts.scheme == "http" and not allow_http:
        raise InvalidObjectStore("AWS_ENDPOINT: expected https, or AWS_ALLOW_HTTP=true with it")
    return endpoint.rstrip("/")


def _is_set(name: str, variables: Mapping[str, str]) -> bool:
    value = variables.get(name, "").lower()
    if value not in {*_YES, *_NO, ""}:
        raise InvalidObjectStore(f"{name}: expected true or false")
    return value in _YES
