import io

import pytest
from rich.console import Console

from bot.audio.tools import AudioTools
from bot.cli.doctor import doctor
from bot.config import Settings
from bot.processes.confinement import missing_protections
from tests.support.processes import forking, python


@pytest.fixture
def told(tmp_path):
    """Run `doctor` on a machine with everything set up; return its exit status and lines."""

    def run(audio):
        settings = Settings(
            DISCORD_TOKEN="a.b.c", STEMCORD_DATA_DIR=tmp_path, STEMCORD_PROVIDERS="finevoice"
        )
        page = io.StringIO()
        status = doctor(settings, Console(file=page, width=500), audio=audio)
        return status, page.getvalue()

    return run


def test_a_machine_that_decodes_is_well(told):
    status, lines = told(AudioTools())
    assert status == 0
    assert "ok    Audio decodes in a child process" in lines


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(forking("os.kill(os.getpid(), signal.SIGILL)"), id="every child crashes"),
        pytest.param(python("import os; os.kill(os.getpid(), 4)"), id="no library loads"),
        pytest.param(("/no/such/program",), id="no child can be started"),
    ],
)
def test_a_machine_that_cannot_decode_is_not_well(told, server):
    status, lines = told(AudioTools(server=server))
    assert status == 1
    assert "FAIL  Audio cannot be decoded on this machine" in lines


def test_what_children_are_not_kept_from_is_told(told):
    _, lines = told(AudioTools())
    if missing := missing_protections():
        assert all(each in lines for each in missing)
    else:
        assert "ok    Processes that read songs are confined" in lines
