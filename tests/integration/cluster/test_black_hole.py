"""A silent network namespace drops packets without an error, until it is healed."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.black_hole import BlackHole, NoNamespaces, black_hole

ASK = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1):
    pass
"""


@pytest.fixture
def hole() -> Iterator[BlackHole]:
    try:
        with black_hole() as made:
            yield made
    except NoNamespaces as exc:
        pytest.skip(str(exc))


def test_a_connection_is_neither_made_nor_refused_until_it_is_healed(hole: BlackHole):
    with socket.create_server((hole.host, 0)) as server:
        port = str(server.getsockname()[1])

        def ask() -> str:
            asked = [*hole.command, sys.executable, "-c", ASK, hole.host, port]
            done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60)
            return done.stderr.splitlines()[-1] if done.returncode else "answered"

        assert ask() == "answered"
        hole.go_silent()
        assert ask() == "TimeoutError: timed out"
        hole.heal()
        assert ask() == "answered"
