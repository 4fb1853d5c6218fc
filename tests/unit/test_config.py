"""Settings: parsing, error messages, and the accuracy of `.env.example`."""

import os
from pathlib import Path

import pytest
from dotenv import dotenv_values

from bot.config import Settings, SettingsError, load_settings
from bot.domain.periods import PeriodKind
from bot.setting_types import Address
from storage.groups.shard_group import ShardGroup

EXAMPLE = Path(__file__).parents[2] / ".env.example"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("STEMCORD_", "DISCORD_")) or name.endswith(("_API_KEY", "_BASE_URL")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def wrong(monkeypatch: pytest.MonkeyPatch, **variables: str) -> list[str]:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return str(caught.value).splitlines()


def test_example_names_every_setting_and_no_other():
    aliases = {field.alias for field in Settings.model_fields.values()}

    assert set(dotenv_values(EXAMPLE)) == aliases


def test_example_shows_the_defaults():
    assert load_settings(EXAMPLE).model_dump() == load_settings().model_dump()


def test_example_leaves_empty_only_what_has_no_fixed_default():
    empty = {name for name, value in dotenv_values(EXAMPLE).items() if not value}

    assert empty == {
        "DISCORD_TOKEN",
        "STEMCORD_DATABASE_URL",
        "STEMCORD_OBJECT_STORE",
        "STEMCORD_SHARDS",
        "STEMCORD_MODELS_DIR",
        "AUDIOCLEANER_API_KEY",
        "FINEVOICE_API_KEY",
        "SOUNDVERSE_API_KEY",
        "STEMCORD_TRUSTED_HOSTS",
        "STEMCORD_DAILY_SPEND_MINUTES",
        "STEMCORD_ALLOWED_GUILDS",
        "STEMCORD_STUDIO_ACCEPT",
        "STEMCORD_STUDIO_PYTHON",
        "STEMCORD_PUBLIC_URL",
        "STEMCORD_PUBLIC_ADDRESS",
    }


def test_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / ".env").write_text("STEMCORD_QUOTA_MINUTES=5\nSTEMCORD_MAX_ACTIVE_JOBS=7\n")
    monkeypatch.setenv("STEMCORD_QUOTA_MINUTES", "9")

    settings = load_settings()

    assert (settings.quota_minutes, settings.max_active_jobs) == (9, 7)


def test_file_written_by_windows_is_read(tmp_path: Path):
    (tmp_path / ".env").write_bytes("\ufeffSTEMCORD_QUOTA_MINUTES=5\r\n".encode())

    assert load_settings().quota_minutes == 5


@pytest.mark.parametrize("empty", ["", "   "])
def test_empty_means_the_default(empty: str, monkeypatch: pytest.MonkeyPatch):
    default = load_settings()
    for field in Settings.model_fields.values():
        if field.alias and field.alias != "STEMCORD_OPS_ADDRESS":
            monkeypatch.setenv(field.alias, empty)

    assert load_settings() == default


def test_empty_operations_address_turns_the_server_off(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STEMCORD_OPS_ADDRESS", "")

    assert load_settings().ops_address is None


def test_values_arrive_with_their_types(monkeypatch: pytest.MonkeyPatch):
    for name, value in {
        "STEMCORD_PROVIDERS": "local, finevoice",
        "STEMCORD_TRUSTED_HOSTS": "LOCALHOST:8080,127.0.0.1",
        "STEMCORD_QUOTA_PERIOD": "Week",
        "STEMCORD_MAX_DURATION_MINUTES": "0.25",
        "STEMCORD_DAILY_SPEND_MINUTES": "0",
        "STEMCORD_OPS_ADDRESS": "[::1]:0",
        "STEMCORD_PUBLIC_URL": "https://stems.example.org/",
        "STEMCORD_LOG_LEVEL": "debug",
        "STEMCORD_WORKER_TASKS": "separate, audio",
    }.items():
        monkeypatch.setenv(name, value)

    settings = load_settings()

    assert settings.providers == ("local", "finevoice")
    assert settings.trusted_hosts == {"localhost:8080", "127.0.0.1"}
    assert settings.quota_period is PeriodKind.WEEK
    assert settings.max_duration_minutes == 0.25
    assert settings.daily_spend_minutes == 0
    assert settings.ops_address == Address("::1", 0)
    assert settings.public_url == "https://stems.example.org"
    assert settings.log_level == "DEBUG"
    assert settings.worker_tasks == {"separate", "audio"}


def test_models_live_in_the_data_directory_unless_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("STEMCORD_DATA_DIR", "kept")
    assert load_settings().models_dir == tmp_path / "kept" / "models"

    monkeypatch.setenv("STEMCORD_MODELS_DIR", "/opt/models")
    assert load_settings().models_dir == Path("/opt/models")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DISCORD_TOKEN", "with a space"),
        ("DISCORD_API_BASE", "discord.com"),
        ("STEMCORD_OBJECT_STORE", "stems"),
        ("STEMCORD_OBJECT_STORE", "s3://"),
        ("STEMCORD_OBJECT_STORE", "gs://stems"),
        ("STEMCORD_SEPARATE_ON", "there"),
        ("STEMCORD_WORKER_TASKS", "audio,video"),
        ("STEMCORD_WORKER_TASKS", ","),
        ("STEMCORD_PROVIDERS", "local,local"),
        ("STEMCORD_PROVIDERS", ","),
        ("STEMCORD_PROVIDERS", "my provider"),
        ("SOUNDVERSE_BASE_URL", "ftp://example.org"),
        ("SOUNDVERSE_BASE_URL", "https://example.org:99999"),
        ("SOUNDVERSE_BASE_URL", "https://[::1"),
        ("STEMCORD_TRUSTED_HOSTS", "http://localhost"),
        ("STEMCORD_TRUSTED_HOSTS", "localhost:99999"),
        ("STEMCORD_QUOTA_MINUTES", "-1"),
        ("STEMCORD_QUOTA_MINUTES", "1.5"),
        ("STEMCORD_QUOTA_PERIOD", "year"),
        ("STEMCORD_MAX_ACTIVE_JOBS", "0"),
        ("STEMCORD_MAX_FILE_MIB", "nan"),
        ("STEMCORD_MAX_DURATION_MINUTES", "inf"),
        ("STEMCORD_POLL_MIN_S", "0"),
        ("STEMCORD_STOP_GRACE_S", "soon"),
        ("STEMCORD_DELIVERY", "pigeon"),
        ("STEMCORD_LOCAL_MODEL", "demucs"),
        ("STEMCORD_DEVICE", "gpu"),
        ("STEMCORD_ACCEPT_HTDEMUCS_LICENSE", "perhaps"),
        ("STEMCORD_OPS_ADDRESS", "9464"),
        ("STEMCORD_OPS_ADDRESS", "localhost:http"),
        ("STEMCORD_LOG_LEVEL", "LOUD"),
        ("STEMCORD_ALLOWED_GUILDS", "my server"),
        ("STEMCORD_ALLOW_DMS", "perhaps"),
        ("STEMCORD_PUBLIC_ADDRESS", "9465"),
        ("STEMCORD_KEEP_JOBS_DAYS", "0"),
    ],
)
def test_wrong_setting_is_one_line_that_names_it(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
):
    [line] = wrong(monkeypatch, **{name: value})

    assert line.startswith(f"{name}: expected ")
    assert value not in line.removeprefix(f"{name}: expected ").split()


def test_every_setting_says_what_is_expected():
    assert [n for n, field in Settings.model_fields.items() if not field.description] == []


def test_each_wrong_setting_has_its_line(monkeypatch: pytest.MonkeyPatch):
    lines = wrong(monkeypatch, STEMCORD_QUOTA_MINUTES="x", STEMCORD_DELIVERY="y")

    assert [line.partition(":")[0] for line in lines] == [
        "STEMCORD_QUOTA_MINUTES",
        "STEMCORD_DELIVERY",
    ]


def test_htdemucs_wants_its_terms_accepted(monkeypatch: pytest.MonkeyPatch):
    [line] = wrong(monkeypatch, STEMCORD_LOCAL_MODEL="htdemucs")
    assert "STEMCORD_ACCEPT_HTDEMUCS_LICENSE=1" in line

    monkeypatch.setenv("STEMCORD_ACCEPT_HTDEMUCS_LICENSE", "1")
    assert load_settings().local_model == "htdemucs"


def test_a_model_with_a_free_licence_wants_nothing_more(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STEMCORD_LOCAL_MODEL", "SCNet-large")
    assert load_settings().local_model == "scnet-large"


def test_polling_bounds_in_the_wrong_order_are_refused(monkeypatch: pytest.MonkeyPatch):
    [line] = wrong(monkeypatch, STEMCORD_POLL_MIN_S="20")

    assert line == "STEMCORD_POLL_MIN_S: expected no more than STEMCORD_POLL_MAX_S"


def test_shards_need_a_postgresql_database(monkeypatch: pytest.MonkeyPatch):
    [line] = wrong(monkeypatch, STEMCORD_SHARDS="0-3/16")
    assert line.startswith("STEMCORD_SHARDS: expected STEMCORD_DATABASE_URL with it")

    monkeypatch.setenv("STEMCORD_DATABASE_URL", "postgresql://stemcord@localhost/stemcord")
    assert load_settings().shards == ShardGroup(0, 3, 16)


@pytest.mark.parametrize("text", ["3-0/16", "16/16", "0-16/16", "0", "1 of 2", "-1/2", "0/0"])
def test_shards_that_do_not_exist_are_refused(monkeypatch: pytest.MonkeyPatch, text: str):
    [line] = wrong(monkeypatch, STEMCORD_SHARDS=text)
    assert line.startswith("STEMCORD_SHARDS: expected some of all shards, such as 0-3/16")


POSTGRES = "postgresql://stemcord@localhost/stemcord"


@pytest.mark.parametrize("where", ["workers", "both"])
def test_workers_need_a_database_and_a_store_that_they_reach(
    monkeypatch: pytest.MonkeyPatch, where: str
):
    [line] = wrong(monkeypatch, STEMCORD_SEPARATE_ON=where)
    assert line.startswith("STEMCORD_SEPARATE_ON: expected STEMCORD_DATABASE_URL with")
    [line] = wrong(monkeypatch, STEMCORD_SEPARATE_ON=where, STEMCORD_DATABASE_URL=POSTGRES)
    assert line.startswith("STEMCORD_SEPARATE_ON: expected STEMCORD_OBJECT_STORE with")
    monkeypatch.setenv("STEMCORD_OBJECT_STORE", "file:///shared")
    assert load_settings().separate_on == where


@pytest.mark.parametrize(
    ("where", "skipped"), [("here", {"workers"}), ("workers", {"local", "studio"}), ("both", set())]
)
def test_providers_follow_where_songs_are_separated(
    monkeypatch: pytest.MonkeyPatch, where: str, skipped: set[str]
):
    for name, value in (
        ("STEMCORD_SEPARATE_ON", where),
        ("STEMCORD_DATABASE_URL", POSTGRES),
        ("STEMCORD_OBJECT_STORE", "file:///shared"),
    ):
        monkeypatch.setenv(name, value)
    settings = load_settings()
    kept = tuple(name for name in settings.providers if name not in skipped)
    assert settings.usable_providers == kept


def test_public_links_need_the_server_that_serves_them(monkeypatch: pytest.MonkeyPatch):
    [line] = wrong(monkeypatch, STEMCORD_PUBLIC_URL="https://example.org", STEMCORD_OPS_ADDRESS="")

    assert line.startswith("STEMCORD_PUBLIC_URL: expected STEMCORD_PUBLIC_ADDRESS or STEMCORD_OPS")

    monkeypatch.setenv("STEMCORD_PUBLIC_ADDRESS", "127.0.0.1:9465")
    assert load_settings().public_address == Address("127.0.0.1", 9465)


def test_public_links_have_an_address_of_their_own_or_none(monkeypatch: pytest.MonkeyPatch):
    [line] = wrong(monkeypatch, STEMCORD_PUBLIC_ADDRESS="127.0.0.1:9464")

    assert line.startswith("STEMCORD_PUBLIC_ADDRESS: expected another address")


def test_servers_and_direct_messages_can_be_narrowed(monkeypatch: pytest.MonkeyPatch):
    assert (load_settings().allowed_guilds, load_settings().allow_dms) == (frozenset(), True)

    monkeypatch.setenv("STEMCORD_ALLOWED_GUILDS", "112233445566778899, 99887766554433221")
    monkeypatch.setenv("STEMCORD_ALLOW_DMS", "0")

    settings = load_settings()
    assert settings.allowed_guilds == {112233445566778899, 99887766554433221}
    assert not settings.allow_dms


@pytest.mark.parametrize("quoted", ['"7"', "'7'", ' "7" ', '" 7 "'])
def test_one_pair_of_quotes_goes_wherever_it_came_from(
    quoted: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("STEMCORD_QUOTA_MINUTES", quoted)
    monkeypatch.setenv("DISCORD_TOKEN", '"a.token.quoted"')
    monkeypatch.setenv("STEMCORD_DATA_DIR", "'kept here'")

    settings = load_settings()

    assert settings.quota_minutes == 7
    assert settings.required_token().get_secret_value() == "a.token.quoted"
    assert settings.data_dir == tmp_path / "kept here"


@pytest.mark.parametrize("empty", ["", "  ", '""'])
def test_empty_variable_does_not_hide_the_files_value(
    empty: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / ".env").write_text("STEMCORD_QUOTA_MINUTES=5\nDISCORD_TOKEN=from-the-file\n")
    monkeypatch.setenv("STEMCORD_QUOTA_MINUTES", empty)
    monkeypatch.setenv("DISCORD_TOKEN", empty)

    assert load_settings().quota_minutes == 5
    assert load_settings().required_token().get_secret_value() == "from-the-file"


def test_operations_server_is_turned_off_by_an_empty_variable_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / ".env").write_text("STEMCORD_OPS_ADDRESS=127.0.0.1:1234\n")
    monkeypatch.setenv("STEMCORD_OPS_ADDRESS", "")

    assert load_settings().ops_address is None


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("STEMCORD_QUOTA_MINUTE", "…; STEMCORD_QUOTA_MINUTES is one"),
        ("STEMCORD_DAILY_SPENT_MINUTES", "…; STEMCORD_DAILY_SPEND_MINUTES is one"),
        ("FINEVOICE_APIKEY", "…; FINEVOICE_API_KEY is one"),
        ("DISCORD_TOKN", "…; DISCORD_TOKEN is one"),
        ("STEMCORD_COLOUR", "…"),
    ],
)
def test_misspelt_setting_is_told_with_the_nearest_name_and_without_its_value(
    name: str, line: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(name, "s3cr3t")

    assert load_settings().unknown == (
        line.replace("…", f"{name} is not a setting and is ignored"),
    )


def test_names_that_are_not_ours_are_left_alone(monkeypatch: pytest.MonkeyPatch):
    for name in ("PATH", "DISCORD_WEBHOOK", "STEMCORD_LIVE_SONG", "STEMCORD_QUOTA_MINUTES"):
        monkeypatch.setenv(name, "7")

    assert load_settings().unknown == ()


def test_missing_token_is_told_with_the_file_that_was_looked_for(tmp_path: Path):
    with pytest.raises(SettingsError, match=rf"and {tmp_path}/\.env does not exist\)$"):
        load_settings().required_token()

    (tmp_path / ".env").write_text("STEMCORD_QUOTA_MINUTES=5\n")
    with pytest.raises(SettingsError, match=rf"and {tmp_path}/\.env has none\)$"):
        load_settings().required_token()


def test_missing_token_is_named_only_when_it_is_needed():
    with pytest.raises(SettingsError, match="DISCORD_TOKEN: expected the bot's token"):
        load_settings().required_token()


def test_a_secret_shows_in_no_text_and_no_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DISCORD_TOKEN", "s3cr3t-token")
    monkeypatch.setenv("FINEVOICE_API_KEY", "s3cr3t-key")
    settings = load_settings()

    assert "s3cr3t" not in f"{settings!r} {settings} {settings.model_dump()}"
    assert set(settings.secrets()) == {"s3cr3t-token", "s3cr3t-key"}

    monkeypatch.setenv("FINEVOICE_API_KEY", "s3cr3t key")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_variables_of_the_object_store_come_from_the_file_too_and_are_redacted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / ".env").write_text(
        "AWS_ACCESS_KEY_ID=file-id\nAWS_SECRET_ACCESS_KEY='s3cr3t'\nAWS_REGION=eu\n"
    )
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "environment-id")
    monkeypatch.setenv("STEMCORD_OBJECT_STORE", "s3://stems/bots")
    settings = load_settings()

    assert settings.object_store == "s3://stems/bots"
    assert settings.store_variables["AWS_ACCESS_KEY_ID"] == "environment-id"
    assert settings.store_variables["AWS_SECRET_ACCESS_KEY"] == "s3cr3t"
    assert {"environment-id", "s3cr3t"} <= set(settings.secrets())
    assert "eu" not in settings.secrets()
    assert "s3cr3t" not in f"{settings!r} {settings.model_dump()}"


def test_unreadable_file_is_one_line(tmp_path: Path):
    (tmp_path / ".env").write_bytes(b"STEMCORD_QUOTA_MINUTES=\xff\xfe\n")

    with pytest.raises(SettingsError, match=r"^\.env: expected a readable file of UTF-8 text$"):
        load_settings()
