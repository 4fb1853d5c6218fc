"""The check of `doctor` for decoding on this machine."""

import asyncio

import pytest

from bot.audio.tools import AudioTools
from bot.cli.commands.machine_checks import check_decoding
from tests.support.processes import forking, python


def test_a_machine_that_decodes_is_well():
    finding = asyncio.run(check_decoding(AudioTools()))
    assert finding.is_good
    assert finding.what == "Audio decodes in a child process"


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(forking("os.kill(os.getpid(), signal.SIGILL)"), id="every child crashes"),
        pytest.param(python("import os; os.kill(os.getpid(), 4)"), id="no library loads"),
        pytest.param(("/no/such/program",), id="no child can be started"),
    ],
)
def test_a_machine_that_cannot_decode_is_not_well(server):
    finding = asyncio.run(check_decoding(AudioTools(server=server)))
    assert (finding.is_good, finding.is_fatal) == (False, True)
    assert finding.what.startswith("Audio cannot be decoded on this machine")
