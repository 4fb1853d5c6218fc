"""STEMCORD_DEVICE, STEMCORD_STUDIO_PYTHON and STEMCORD_STUDIO_ACCEPT, at start and in `doctor`."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot.cli.commands.studio_checks import check_studio
from bot.cli.opening.embedded_opening import open_embedded
from bot.cli.opening.studio_opening import open_studio
from bot.config import SettingsError, load_settings
from bot.engine.hardware.interpreter import InterpreterFailed, examine
from tests.support.fake_gpu import Card, make_environment, script
from tests.support.processes import children
from tests.support.studio_catalogues import MODELS, NETWORKS, write_catalogue

FLOOD = "while :; do echo 0123456789012345678901234567890123456789; done"
LIE = """echo '{"InterpreterReport": {"version": "3.12.1", "runtimes": ["onnxruntime-gpu"], \
"runtime_version": "1.31.1", "providers": ["CUDAExecutionProvider"], "torch": "", \
"problem": ""}}'"""


@pytest.fixture
def configured(monkeypatch, tmp_path, small_model):
    """Return a function that reads these settings in an empty folder."""

    def read(**settings):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("STEMCORD_MODELS_DIR", str(small_model))
        for name, value in settings.items():
            monkeypatch.setenv(f"STEMCORD_{name.upper()}", str(value))
        return load_settings()

    return read


def no_child_is_left(before):
    deadline = time.monotonic() + 5
    while children() - before and time.monotonic() < deadline:
        time.sleep(0.02)
    return not children() - before


async def device_of(settings):
    embedded = await open_embedded(settings)
    try:
        return embedded.declared.device if embedded.declared else "not started"
    finally:
        await embedded.aclose()


@pytest.mark.parametrize("device", ["auto", "cuda"])
async def test_a_card_that_works_is_found_at_start(configured, tmp_path, device):
    python = make_environment(tmp_path / "other", Card.WORKS)
    assert await device_of(configured(studio_python=python, device=device)) == "cuda"


async def test_the_environment_that_make_studio_makes_is_found_in_the_folder(configured, tmp_path):
    make_environment(tmp_path / ".venv-studio", Card.WORKS)
    assert await device_of(configured()) == "cuda"


async def test_without_another_interpreter_no_process_is_started(configured):
    before = children()
    assert await device_of(configured()) == "not started"
    assert not children() - before


async def test_a_device_of_cpu_does_without_the_card(configured, tmp_path):
    python = make_environment(tmp_path / "other", Card.WORKS)
    assert await device_of(configured(studio_python=python, device="cpu")) == "not started"


@pytest.mark.parametrize("card", [Card.ABSENT, Card.LIES, Card.FAILS, Card.WRONG])
async def test_cuda_that_turns_out_to_be_the_cpu_is_an_error_that_names_the_setting(
    configured, tmp_path, card
):
    python = make_environment(tmp_path / "other", card)
    before = children()
    with pytest.raises(SettingsError) as raised:
        await open_embedded(configured(studio_python=python, device="cuda"))
    [line] = str(raised.value).splitlines()
    assert line.startswith("STEMCORD_DEVICE: expected auto or cpu, because ")
    assert no_child_is_left(before)


async def test_auto_that_turns_out_to_be_the_cpu_is_a_line_in_the_log(configured, tmp_path, caplog):
    python = make_environment(tmp_path / "other", Card.LIES)
    await device_of(configured(studio_python=python))
    assert "no graphics card is used: CUDAExecutionProvider was asked for" in caplog.text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("exit 3", "it ends with status 3"),
        ("echo hello", "its answer is not understood"),
        ("sleep 60", "it does not answer within 1 s"),
        ("sleep 60 & exec 1>&-; wait", "it does not answer within 1 s"),
        (FLOOD, "it floods its output"),
    ],
)
def test_an_interpreter_that_fails_hangs_or_floods_is_given_up(tmp_path, text, reason):
    python = script(tmp_path / "python", text)
    before = children()
    with pytest.raises(InterpreterFailed, match=reason):
        examine(python, limit_s=1.0)
    assert no_child_is_left(before)


async def test_the_start_goes_on_without_an_interpreter_that_lies(configured, tmp_path, caplog):
    python = script(tmp_path / "python", LIE)
    before = children()
    embedded = await open_embedded(configured(studio_python=python))
    assert embedded.capabilities.models
    assert "no graphics card is used: no message of the expected kinds" in caplog.text
    await embedded.aclose()
    assert no_child_is_left(before)


async def test_the_start_goes_on_without_an_interpreter_that_is_not_there(
    configured, tmp_path, caplog
):
    settings = configured(studio_python=tmp_path / "nothing", studio_accept="vocals")
    await device_of(settings)
    assert "cannot be started (No such file or directory)" in caplog.text
    opened = await open_studio(settings)
    assert opened.provider is None
    assert opened.why_not is not None


async def test_a_studio_that_is_not_set_up_is_left_out_without_a_word(configured, caplog):
    opened = await open_studio(configured())
    assert opened.provider is None
    assert opened.why_not is None
    assert not caplog.text


async def test_a_model_that_no_catalogue_has_is_a_line_that_names_the_setting(configured, tmp_path):
    settings = configured(studio_python=sys.executable, studio_accept="vocals,vocal")
    with pytest.raises(SettingsError, match=r"^STEMCORD_STUDIO_ACCEPT: expected names among vo"):
        await open_studio(settings)


async def test_a_catalogue_with_a_mistake_leaves_the_studio_out(configured, tmp_path):
    path = write_catalogue(tmp_path / "models", NETWORKS, MODELS, sha256="short")
    settings = configured(
        studio_python=sys.executable, studio_accept="duet", models_dir=tmp_path / "models"
    )
    opened = await open_studio(settings)
    assert opened.why_not == (
        f"its catalogue cannot be used: {path}: the checkpoint of voice has no sha256"
    )


async def test_the_studio_offers_what_was_accepted(configured, tmp_path):
    write_catalogue(tmp_path / "models", NETWORKS, MODELS)
    settings = configured(
        studio_python=sys.executable, studio_accept="duet,parts", models_dir=tmp_path / "models"
    )
    opened = await open_studio(settings)
    assert opened.provider is not None
    names = [model.name for model in opened.provider.capabilities.models]
    await opened.provider.aclose()
    assert names == ["duet", "parts"]


async def test_a_studio_without_the_card_that_is_asked_for_is_an_error(configured, tmp_path):
    write_catalogue(tmp_path / "models", NETWORKS, MODELS)
    settings = configured(
        studio_python=sys.executable,
        studio_accept="duet",
        models_dir=tmp_path / "models",
        device="cuda",
    )
    before = children()
    with pytest.raises(SettingsError, match=r"^STEMCORD_DEVICE: expected auto or cpu, because the"):
        await open_studio(settings)
    assert no_child_is_left(before)


def told(settings):
    return [(each.is_good, each.is_fatal, each.what) for each in check_studio(settings)]


def test_doctor_says_what_the_engine_really_runs_on(configured, tmp_path):
    python = make_environment(tmp_path / "other", Card.LIES)
    [environment, engine] = told(configured(studio_python=python))
    assert environment[0]
    assert "onnxruntime-gpu 1.31.1 (CUDA, CPU)" in environment[2]
    assert engine[:2] == (False, False)
    assert "runs on cpu" in engine[2]
    assert "the runtime uses CPUExecutionProvider" in engine[2]


def test_doctor_fails_where_cuda_is_asked_for_in_vain(configured, tmp_path):
    python = make_environment(tmp_path / "other", Card.LIES)
    [_, engine] = told(configured(studio_python=python, device="cuda"))
    assert engine[:2] == (False, True)
    assert engine[2].startswith("STEMCORD_DEVICE: ")


def test_doctor_fails_where_cuda_is_asked_for_without_an_interpreter(configured):
    [(is_good, is_fatal, what)] = told(configured(device="cuda"))
    assert (is_good, is_fatal) == (False, True)
    assert "STEMCORD_DEVICE" in what


def test_doctor_fails_where_two_runtimes_share_an_environment(configured, tmp_path):
    python = make_environment(
        tmp_path / "other", Card.WORKS, distributions=("onnxruntime", "onnxruntime-gpu")
    )
    *_, last = told(configured(studio_python=python))
    assert last[:2] == (False, True)
    assert "onnxruntime and onnxruntime-gpu are both installed" in last[2]


def test_doctor_names_the_studios_models_and_what_they_lack(configured, tmp_path):
    write_catalogue(tmp_path / "models", NETWORKS, MODELS)
    (tmp_path / "models/studio/six.ckpt").unlink()
    settings = configured(
        studio_python=sys.executable,
        studio_accept="duet,six-stems",
        models_dir=tmp_path / "models",
    )
    lines = [what for _, _, what in told(settings)]
    assert "The studio runs duet on cpu (weights: MIT)" in lines
    assert "The studio lacks six-stems: six.ckpt is not there" in lines


def test_a_bot_that_is_told_to_use_a_card_in_vain_ends_before_it_calls_discord(
    tmp_path, small_model
):
    python = make_environment(tmp_path / "other", Card.LIES)
    done = subprocess.run(
        [sys.executable, "-m", "bot"],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parents[3]),
            "DISCORD_TOKEN": "x" * 60,
            "DISCORD_API_BASE": "http://127.0.0.1:9",  # nothing listens there
            "STEMCORD_MODELS_DIR": str(small_model),
            "STEMCORD_PROVIDERS": "local",
            "STEMCORD_DEVICE": "cuda",
            "STEMCORD_STUDIO_PYTHON": str(python),
            "STEMCORD_OPS_ADDRESS": "",
            "STEMCORD_LOG_LEVEL": "ERROR",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("STEMCORD_DEVICE: expected auto or cpu, because ")
