"""The checks of `doctor` for decoding and confinement on this machine."""

import sys

from bot.cli.commands.machine_checks import (
    check_machine,
    check_time_stretch,
)
from bot.config import load_settings
from bot.processes.confinement import missing_protections


def test_missing_protections_are_named():
    lines = "\n".join(each.what for each in check_machine(load_settings(env_file=None)))
    if missing := missing_protections():
        assert all(each in lines for each in missing)
    else:
        assert "Processes that read songs are confined" in lines


def engine_lines(monkeypatch, model):
    monkeypatch.setenv("STEMCORD_LOCAL_MODEL", model)
    monkeypatch.setenv("STEMCORD_PROVIDERS", "local")
    return "\n".join(each.what for each in check_machine(load_settings(env_file=None)))


def test_the_memory_is_that_of_the_chosen_model(monkeypatch):
    assert "needs about 512" in engine_lines(monkeypatch, "spleeter")
    assert "needs about 1,600" in engine_lines(monkeypatch, "scnet")


def test_a_slow_model_is_noted_with_the_songs_that_take_too_long(monkeypatch):
    monkeypatch.setenv("STEMCORD_JOB_TIMEOUT_MINUTES", "60")
    lines = engine_lines(monkeypatch, "scnet-large")
    assert "times as long as the song lasts" in lines
    assert "STEMCORD_JOB_TIMEOUT_MINUTES" in lines
    assert "times as long" not in engine_lines(monkeypatch, "spleeter")


def test_a_missing_time_stretch_is_noted(monkeypatch):
    assert check_time_stretch().is_good
    monkeypatch.setitem(sys.modules, "python_stretch", None)
    finding = check_time_stretch()
    assert (finding.is_good, finding.is_fatal) == (False, False)
    assert "python-stretch is missing" in finding.what
