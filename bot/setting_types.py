"""Types that parse the text of settings; config.py makes the error messages."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from storage.groups.shard_group import ShardGroup
from storage.objects.store_address import parse_address

_HOST: Final = re.compile(r"(\[[0-9a-f:]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?")
_PROVIDER: Final = re.compile(r"[a-z][a-z0-9_-]*")
_ID: Final = re.compile(r"\d{1,20}", re.ASCII)
_SECRET: Final = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a server; port 0 means any free port."""

    host: str
    port: int

    def clashes_with(self, other: "Address | None") -> bool:
        """Whether the two addresses cannot be bound at the same time; port 0 never clashes."""
        return self == other and self.port != 0


def _listed(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(entry for entry in map(str.strip, value.split(",")) if entry)


def _host_and_port(text: str) -> tuple[str, int | None]:
    match = _HOST.fullmatch(text.lower())
    if match is None:
        raise ValueError
    host, port = match.groups()
    if port is not None and int(port) > 65_535:
        raise ValueError
    return host, None if port is None else int(port)


def _address(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not value:
        return None
    host, port = _host_and_port(value)
    if port is None:
        raise ValueError
    return Address(host.strip("[]"), port)


def _hosts(names: frozenset[str]) -> frozenset[str]:
    for name in names:
        _host_and_port(name)
    return frozenset(map(str.lower, names))


def _providers(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names) or not all(map(_PROVIDER.fullmatch, names)):
        raise ValueError
    return names


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    is_web = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    if not is_web or parts.query or parts.fragment:
        raise ValueError
    return value.rstrip("/")


def _ids(texts: object) -> object:
    if not isinstance(texts, tuple):
        return texts
    if not all(isinstance(text, str) and _ID.fullmatch(text) for text in texts):
        raise ValueError
    return texts


def _secret(value: SecretStr) -> SecretStr:
    if not _SECRET.fullmatch(value.get_secret_value()):
        raise ValueError
    return value


def _database_url(value: SecretStr) -> SecretStr:
    if urlsplit(value.get_secret_value()).scheme not in {"postgresql", "postgres"}:
        raise ValueError
    return value


def _object_store_url(value: str) -> str:
    parse_address(value, {})  # a misspelt one is a ValueError
    return value


def _shards(value: object) -> object:
    return ShardGroup.parse(value) if isinstance(value, str) else value


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


Secret = Annotated[SecretStr, AfterValidator(_secret)]
DatabaseUrl = Annotated[Secret, AfterValidator(_database_url)]
ObjectStoreUrl = Annotated[str, AfterValidator(_object_store_url)]
Key = Annotated[Secret | None, Field(description="the key as its vendor shows it, without spaces")]
BaseUrl = Annotated[
    str,
    AfterValidator(_base_url),
    Field(description="a web address such as https://api.example.org"),
]
Folder = Annotated[Path, AfterValidator(_absolute)]
Count = Annotated[int, Field(ge=0, description="a whole number, 0 or more")]
Amount = Annotated[
    float, Field(gt=0, allow_inf_nan=False, description="a number above 0, such as 2 or 0.25")
]
Lower = BeforeValidator(_lower)
Upper = BeforeValidator(_upper)
Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Providers = Annotated[Names, AfterValidator(_providers)]
Ids = Annotated[frozenset[int], BeforeValidator(_ids), BeforeValidator(_listed)]
Hosts = Annotated[frozenset[str], BeforeValidator(_listed), AfterValidator(_hosts)]
WorkerTasks = Annotated[
    frozenset[Literal["separate", "audio"]], BeforeValidator(_listed), Field(min_length=1)
]
Shards = Annotated[ShardGroup | None, BeforeValidator(_shards)]
ListenAddress = Annotated[Address | None, BeforeValidator(_address)]
