"""The settings, read once from the environment and `.env`; only the command line imports this.

Each field's description says which values are valid. Error messages quote it, never the value
found.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.domain.periods import PeriodKind
from bot.engine.model_catalogue import MODELS
from bot.engine.model_declaration import PinnedFile, named
from bot.providers.registry import BUILT_IN
from bot.setting_types import (
    Address,
    Amount,
    BaseUrl,
    Count,
    DatabaseUrl,
    Folder,
    Hosts,
    Ids,
    Key,
    ListenAddress,
    Lower,
    Names,
    ObjectStoreUrl,
    Providers,
    Secret,
    Shards,
    Upper,
    WorkerTasks,
)

ENV_FILE: Final = Path(".env")
_OURS: Final = "STEMCORD_"
_ELSEWHERE: Final = frozenset(
    {"STEMCORD_LIVE_SONG", "STEMCORD_TEST_DATABASE_URL", "STEMCORD_TEST_POSTGRES"}
)
"""Variables with our prefix that are not settings of the bot."""
_LIKENESS: Final = 0.85
_OF_THE_STORE: Final = ("AWS_", "SSL_CERT_FILE", "HTTPS_PROXY", "NO_PROXY")
"""Prefixes of the variables that are passed on to the object store."""
_SECRETS_OF_THE_STORE: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_TOKEN",
    "AWS_SSE_CUSTOMER_KEY_BASE64",
)


class SettingsError(Exception):
    """Settings are wrong or missing; the text has one line for each, without its value."""


def _variable(field: str) -> str:
    return field.upper() if field.startswith("discord_") else f"STEMCORD_{field.upper()}"


def _provider_fields() -> dict[str, Any]:
    """Return fields for the key and the address of each built-in provider."""
    fields: dict[str, Any] = {}
    for adapter in BUILT_IN.values():
        declared = adapter.declared
        key, base_url = declared.key_setting, declared.base_url_setting
        fields[key.lower()] = (Key, Field(None, alias=key))
        fields[base_url.lower()] = (BaseUrl, Field(declared.base_url, alias=base_url))
    return fields


def _consent_fields() -> dict[str, Any]:
    """Return a field for each model whose terms the operator must accept."""
    expected = "1 once you have read and accept the terms, else 0"
    return {
        model.consent_setting.lower(): (
            bool,
            Field(False, alias=model.consent_setting, description=expected),
        )
        for model in MODELS.values()
        if model.needs_consent
    }


def _known_model(name: str) -> str:
    if name not in MODELS:
        raise ValueError
    return name


if TYPE_CHECKING:
    _DeclaredSettings = BaseSettings
else:
    _DeclaredSettings = create_model(
        "_DeclaredSettings", __base__=BaseSettings, **_provider_fields(), **_consent_fields()
    )


class Settings(_DeclaredSettings):
    """All settings; a field's variable is its name in capitals, usually with the prefix
    `STEMCORD_`.

    Fields for built-in providers and for the terms of models are created from declarations.
    """

    model_config = SettingsConfigDict(
        alias_generator=_variable,
        case_sensitive=True,
        enable_decoding=False,
        env_file_encoding="utf-8-sig",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=True,
    )

    discord_token: Secret | None = Field(
        None, description="the bot's token, from the Bot page of Discord's developer portal"
    )
    discord_api_base: BaseUrl = "https://discord.com/api/v10"
    data_dir: Folder = Field(Path("data"), description="the path of a folder")
    models_dir: Folder = Field(
        default_factory=lambda found: found["data_dir"] / "models",
        description="the path of a folder",
    )

    database_url: DatabaseUrl | None = Field(
        None,
        description="an address such as postgresql://user:password@host/name, or nothing for "
        "SQLite in the data directory",
    )
    shards: Shards = Field(
        None,
        description="some of all shards, such as 0-3/16 or 0/2, or nothing for one bot that "
        "serves all servers",
    )

    object_store: ObjectStoreUrl | None = Field(
        None,
        description="an address such as s3://bucket/prefix or file:///folder, or nothing for the "
        "data directory alone",
    )

    separate_on: Annotated[Literal["here", "workers", "both"], Lower] = Field(
        "here", description="here, workers or both"
    )
    worker_tasks: WorkerTasks = Field(
        frozenset({"separate"}), description="separate, audio, or both with a comma between"
    )

    providers: Providers = Field(
        (*BUILT_IN, "studio", "workers", "local"),
        min_length=1,
        description="providers in order of preference, such as finevoice,local",
    )
    trusted_hosts: Hosts = Field(
        frozenset(), description="hosts such as localhost or 127.0.0.1:8080, separated by commas"
    )

    quota_minutes: Count = 60
    quota_period: Annotated[PeriodKind, Lower] = Field(
        PeriodKind.DAY, description="day, week or month"
    )
    max_active_jobs: int = Field(3, ge=1, description="a whole number, 1 or more")
    daily_spend_minutes: Count | None = Field(
        None, description="a whole number, 0 or more, or nothing for no cap"
    )
    max_file_mib: Amount = 100
    max_duration_minutes: Amount = 20
    max_disk_gib: Amount = 20

    poll_min_s: Amount = 2
    poll_max_s: Amount = 15
    job_timeout_minutes: Amount = 60
    stop_grace_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        8, description="a number, 0 or more"
    )

    allowed_guilds: Ids = Field(
        frozenset(), description="ids of servers, separated by commas, or nothing for all"
    )
    allow_dms: bool = Field(True, description="1 or 0")

    delivery: Annotated[Literal["auto", "files", "links"], Lower] = Field(
        "auto", description="auto, files or links"
    )
    public_url: BaseUrl | None = Field(
        None, description="a web address such as https://stems.example.org"
    )
    public_address: ListenAddress = Field(
        None, description="host:port, or nothing to serve links on STEMCORD_OPS_ADDRESS"
    )
    render_minutes: Count = 60
    keep_results_hours: Amount = 24
    keep_jobs_days: Amount = 90

    local_model: Annotated[str, Lower, AfterValidator(_known_model)] = Field(
        "spleeter", description=named(MODELS.values())
    )

    device: Annotated[Literal["auto", "cpu", "cuda"], Lower] = Field(
        "auto", description="auto, cpu or cuda"
    )
    studio_python: Folder | None = Field(
        None, description="the path of a Python interpreter, or nothing"
    )
    studio_accept: Names = Field(
        (), description="names of the studio's models, separated by commas, or nothing"
    )

    ops_address: ListenAddress = Field(
        Address("127.0.0.1", 9464), description="host:port, or nothing to turn it off"
    )
    log_format: Annotated[Literal["console", "json"], Lower] = Field(
        "console", description="console or json"
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], Upper] = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR"
    )

    _looked_in: Path | None = PrivateAttr(None)
    _unknown: tuple[str, ...] = PrivateAttr(())
    _store_variables: Mapping[str, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _empty_means_unset(cls, found: dict[str, Any]) -> dict[str, Any]:
        kept = {name: v.strip() if isinstance(v, str) else v for name, v in found.items()}
        turned_off = _variable("ops_address")
        return {name: v for name, v in kept.items() if v != "" or name == turned_off}

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.poll_min_s > self.poll_max_s:
            raise _conflict("STEMCORD_POLL_MIN_S: expected no more than STEMCORD_POLL_MAX_S")
        if self.shards is not None and self.database_url is None:
            raise _conflict(
                "STEMCORD_SHARDS: expected STEMCORD_DATABASE_URL with it, since several bots "
                "share a PostgreSQL database"
            )
        if self.separate_on != "here" and self.database_url is None:
            raise _conflict(
                "STEMCORD_SEPARATE_ON: expected STEMCORD_DATABASE_URL with workers or both, since "
                "workers take their songs from a PostgreSQL database"
            )
        if self.separate_on != "here" and self.object_store is None:
            raise _conflict(
                "STEMCORD_SEPARATE_ON: expected STEMCORD_OBJECT_STORE with workers or both, since "
                "workers get their songs from an object store"
            )
        if self.public_url and not self.ops_address and not self.public_address:
            raise _conflict(
                "STEMCORD_PUBLIC_URL: expected STEMCORD_PUBLIC_ADDRESS or STEMCORD_OPS_ADDRESS "
                "with it, which serves the links"
            )
        if self.public_address and self.public_address.clashes_with(self.ops_address):
            raise _conflict(
                "STEMCORD_PUBLIC_ADDRESS: expected another address than STEMCORD_OPS_ADDRESS, or "
                "nothing"
            )
        model = MODELS[self.local_model]
        if not self.accepts_licence_of(model):
            raise _conflict(
                f"STEMCORD_LOCAL_MODEL: expected {model.consent_setting}=1 with {model.name}, "
                f"whose weights are for {model.licence}"
            )
        return self

    @property
    def usable_providers(self) -> tuple[str, ...]:
        """The providers in order of preference, without what STEMCORD_SEPARATE_ON skips."""
        skipped = {"here": {"workers"}, "workers": {"studio", "local"}}.get(self.separate_on, set())
        return tuple(name for name in self.providers if name not in skipped)

    @property
    def is_for_worker(self) -> bool:
        """Whether a worker could start with these settings, but a bot could not."""
        is_shared = self.database_url is not None and self.object_store is not None
        return self.discord_token is None and is_shared

    def accepts_licence_of(self, model: PinnedFile) -> bool:
        """Whether the model needs no consent, or its terms were accepted."""
        return not model.needs_consent or bool(getattr(self, model.consent_setting.lower()))

    def required_token(self) -> SecretStr:
        """Return the Discord token; raises SettingsError if it is missing."""
        if self.discord_token is None:
            raise SettingsError(f"{_expectation('discord_token')} {_places(self._looked_in)}")
        return self.discord_token

    @property
    def unknown(self) -> tuple[str, ...]:
        """A line for each variable that resembles a setting but is not one, without its value."""
        return self._unknown

    @property
    def store_variables(self) -> Mapping[str, str]:
        """The variables that the object store's service needs, from the environment or `.env`."""
        return self._store_variables

    def secrets(self) -> tuple[str, ...]:
        """Return the values of all secret settings, for the log to redact."""
        values = [getattr(self, name) for name in type(self).model_fields]
        found = [each.get_secret_value() for each in values if isinstance(each, SecretStr)]
        if self.database_url is not None:
            found += _passwords(self.database_url.get_secret_value())
        held = (self._store_variables.get(name) for name in _SECRETS_OF_THE_STORE)
        return (*found, *filter(None, held))


def load_settings(env_file: Path | None = ENV_FILE) -> Settings:
    """Read the settings; the environment wins over `env_file`, which need not exist.

    Raises SettingsError with one line for each setting that is wrong.
    """
    variables = read_variables(env_file)
    try:
        settings = Settings.model_validate(variables)
    except ValidationError as exc:
        # The default of models_dir is not computed while another setting is invalid; ignore that
        # error.
        own = (e for e in exc.errors() if e["type"] != "default_factory_not_called")
        lines = [_line(error["loc"], error["msg"]) for error in own]
        # The cause is dropped because a validation error may quote the value.
        raise SettingsError("\n".join(dict.fromkeys(lines))) from None
    settings._looked_in = env_file
    settings._unknown = tuple(_unknown(variables))
    settings._store_variables = {
        name: value for name, value in variables.items() if name.upper().startswith(_OF_THE_STORE)
    }
    return settings


def read_variables(env_file: Path | None = ENV_FILE) -> dict[str, str]:
    """Return the variables of `env_file`, overridden by the environment.

    One pair of quotes is removed, since service managers pass on quotes that a shell would strip.
    An empty variable counts as unset, so the file's value applies, except STEMCORD_OPS_ADDRESS: an
    empty value turns the server off. Raises SettingsError for a file that cannot be read.
    """
    try:
        written = dotenv_values(env_file, encoding="utf-8-sig") if env_file else {}
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"{env_file}: expected a readable file of UTF-8 text") from None
    return _given(written) | _given(os.environ)


def _given(variables: Mapping[str, str | None]) -> dict[str, str]:
    plain = {name: _unquoted(value) for name, value in variables.items() if value is not None}
    turned_off = _variable("ops_address")
    return {name: value for name, value in plain.items() if value or name == turned_off}


def _unquoted(value: str) -> str:
    value = value.strip()
    is_quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1].strip() if is_quoted else value


def _unknown(names: Iterable[str]) -> Iterator[str]:
    """Yield a line for each unknown name, with the setting that was probably meant."""
    known = [str(field.alias) for field in Settings.model_fields.values()]
    foreign = (
        "DISCORD_",
        *(each.declared.key_setting.split("_")[0] + "_" for each in BUILT_IN.values()),
    )
    for name in sorted(set(names) - {*known, *_ELSEWHERE}):
        if name.startswith((_OURS, *foreign)):
            nearest = get_close_matches(name, known, n=1, cutoff=_LIKENESS)
            if nearest:
                yield f"{name} is not a setting and is ignored; {nearest[0]} is one"
            elif name.startswith(_OURS):
                yield f"{name} is not a setting and is ignored"


def _passwords(url: str) -> Iterator[str]:
    """Yield the password of an address, percent-encoded and decoded."""
    parts = urlsplit(url)
    for written in (parts.password or "", *parse_qs(parts.query).get("password", ())):
        yield written
        yield unquote(written)


def _places(env_file: Path | None) -> str:
    if env_file is None:
        return "(it is not in the environment)"
    found = "has none" if env_file.is_file() else "does not exist"
    return f"(it is not in the environment, and {env_file.absolute()} {found})"


def _conflict(sentence: str) -> PydanticCustomError:
    return PydanticCustomError("conflict", "{sentence}", {"sentence": sentence})


def _line(place: tuple[int | str, ...], message: str) -> str:
    if not place:
        return message
    fields = Settings.model_fields.items()
    return _expectation(next(name for name, field in fields if field.alias == place[0]))


def _expectation(field: str) -> str:
    found = Settings.model_fields[field]
    return f"{found.alias}: expected {found.description}"
