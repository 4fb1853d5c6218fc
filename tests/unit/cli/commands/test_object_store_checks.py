"""`doctor`'s line about the object store."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.cli.commands.machine_checks import CheckResult
from bot.cli.commands.object_store_checks import check_object_store
from bot.config import load_settings

OURS = ("STEMCORD_", "DISCORD_", "AWS_")


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(OURS):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def found(**settings: str) -> Sequence[CheckResult]:
    Path(".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return tuple(check_object_store(load_settings()))


def test_nothing_is_said_without_a_store() -> None:
    assert found() == ()


def test_a_store_that_works_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    [result] = found(STEMCORD_OBJECT_STORE=(tmp_path / "share").as_uri())
    assert result.is_good
    assert "keeps, returns and removes objects" in result.what
    assert list((tmp_path / "share").iterdir()) == []


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    [result] = found(STEMCORD_OBJECT_STORE=(tmp_path / "share").as_uri())
    assert not result.is_good
    assert result.what.endswith("does not exist; make it, or correct STEMCORD_OBJECT_STORE")


def test_a_service_that_is_not_there_is_told() -> None:
    [result] = found(
        STEMCORD_OBJECT_STORE="s3://stems",
        AWS_ENDPOINT="http://127.0.0.1:9",
        AWS_ALLOW_HTTP="true",
        AWS_ACCESS_KEY_ID="id",
        AWS_SECRET_ACCESS_KEY="s3cr3t",
    )
    assert not result.is_good
    assert "s3://stems cannot be reached" in result.what
    assert "check AWS_ENDPOINT" in result.what
    assert "s3cr3t" not in result.what


def test_a_misspelt_variable_is_told_with_the_setting() -> None:
    [result] = found(STEMCORD_OBJECT_STORE="s3://stems", AWS_ENDPOINT="http://127.0.0.1:9")
    assert not result.is_good
    assert result.what.startswith("STEMCORD_OBJECT_STORE: AWS_ENDPOINT: expected https")
