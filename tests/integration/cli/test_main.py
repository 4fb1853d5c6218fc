"""`python -m bot`, until its command begins."""

import json
import subprocess
import sys

_STARTED = """
import gc, json, sys
loading = []

def note(phase, info):
    line = sys.modules.get("bot.cli.command_line")
    loading.append(line is not None and not hasattr(line, "run_command"))

gc.callbacks.append(note)
from bot.__main__ import main
import bot.config
bot.config.load_settings = lambda: sys.exit(
    json.dumps([sum(loading), gc.isenabled(), gc.get_freeze_count()])
)
main(["audit"])
"""


def test_no_garbage_is_collected_while_modules_are_loaded():
    """Each full collection takes tens of milliseconds."""
    command = [sys.executable, "-c", _STARTED]
    said = subprocess.run(command, check=False, capture_output=True, text=True)
    collections, is_enabled, kept = json.loads(said.stderr)
    assert collections == 0
    assert is_enabled
    assert kept > 100_000
