import threading
from dataclasses import replace

import pytest

from bot.domain.errors import ModelUnavailable
from bot.engine.model_catalogue import SCNET, SPLEETER
from bot.engine.weights import Weights


@pytest.fixture
def weights(tmp_path):
    return Weights(SPLEETER, tmp_path / "models")


def install(weights, content=b"graph"):
    with weights.workspace() as place:
        made = place / "made"
        made.write_bytes(content)
        weights.install(made, notice="MIT")


def test_is_absent_from_an_empty_directory(weights):
    assert not weights.is_present()
    with pytest.raises(ModelUnavailable, match="python -m bot models"):
        weights.require()


def test_is_present_and_whole_once_installed(weights):
    install(weights)
    assert weights.is_present()
    weights.verify()
    assert weights.require().read_bytes() == b"graph"
    assert {path.name for path in weights.path.parent.iterdir()} == {
        ".lock",
        "spleeter2.onnx",
        "spleeter2.onnx.json",
        "spleeter2.onnx.LICENSE.txt",
    }


def test_a_file_cut_short_counts_as_absent(weights):
    install(weights)
    weights.path.write_bytes(b"gra")
    assert not weights.is_present()


def test_a_changed_file_of_the_same_size_does_not_verify(weights):
    install(weights)
    weights.path.write_bytes(b"grapf")
    assert weights.is_present()
    with pytest.raises(ModelUnavailable, match="damaged"):
        weights.verify()


@pytest.mark.parametrize("manifest", ["", "{}", "[]", '{"model": "spleeter"}', "null"])
def test_a_file_with_a_broken_manifest_counts_as_absent(weights, manifest):
    install(weights)
    (weights.path.parent / SPLEETER.manifest_name).write_text(manifest)
    assert not weights.is_present()


def test_a_file_made_from_another_source_counts_as_absent(weights, tmp_path):
    install(weights)
    newer = replace(SPLEETER, source=SCNET.source)
    assert not Weights(newer, tmp_path / "models").is_present()


def test_a_file_made_by_another_conversion_counts_as_absent(weights, tmp_path):
    install(weights)
    newer = replace(SPLEETER, format=SPLEETER.format + 1)
    assert not Weights(newer, tmp_path / "models").is_present()


def test_a_crash_before_the_manifest_counts_as_absent_and_is_cleaned_up(weights):
    install(weights)
    (weights.path.parent / SPLEETER.manifest_name).unlink()
    left_behind = weights.path.parent / ".fetch-killed"
    left_behind.mkdir()
    (left_behind / "half").write_bytes(b"x")
    assert not weights.is_present()
    install(weights)
    assert weights.is_present()
    assert not left_behind.exists()


def test_one_workspace_at_a_time(weights):
    entered = threading.Event()

    def enter():
        with weights.workspace():
            entered.set()

    other = threading.Thread(target=enter)
    with weights.workspace():
        other.start()
        assert not entered.wait(0.1)
    other.join(5)
    assert entered.is_set()
