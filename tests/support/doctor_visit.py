"""Runs `doctor` in its own folder."""

import importlib.metadata
import os
from functools import cache
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.cli.commands import network_checks
from bot.engine.model_catalogue import SPLEETER
from bot.engine.weights import Weights

_packages = cache(importlib.metadata.packages_distributions)


class DoctorVisit:
    """Runs the command and keeps its output."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.status = 0

    def says(self) -> list[str]:
        self.status = main(["doctor"])
        return self._capsys.readouterr().err.splitlines()

    def line(self, word: str) -> str:
        [line] = [each for each in self.says() if word in each]
        return line


def visit_doctor(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> DoctorVisit:
    """Set the environment of a bot whose data is in this folder."""
    for name in list(os.environ):
        if name.startswith(("STEMCORD_", "DISCORD_")) or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(folder)
    # Called once: it reads every installed package, which takes longer than the rest of a visit.
    monkeypatch.setattr(importlib.metadata, "packages_distributions", _packages)
    monkeypatch.setattr(network_checks, "ask_discord", lambda _: ("Stemcord#1234", ()))
    monkeypatch.setenv("DISCORD_TOKEN", "a.token")
    monkeypatch.setenv("DISCORD_API_BASE", "http://127.0.0.1:9")
    monkeypatch.setenv("STEMCORD_PROVIDERS", "local")
    return DoctorVisit(capsys)


def with_model(folder: Path) -> Weights:
    """Install a model of a few bytes in this folder."""
    folder.mkdir(parents=True)
    made = folder / "made"
    made.write_bytes(b"weights" * 100)
    weights = Weights(SPLEETER, folder)
    weights.install(made, notice="")
    return weights
