"""Modules that the default settings do not use are not imported."""

import subprocess
import sys

OPTIONAL = ("obstore", "procrastinate", "psycopg", "psycopg_pool", "torch", "bot.workers.audio")


def test_the_default_bot_imports_no_optional_package():
    code = (
        "import sys, bot.__main__, bot.cli.run, bot.cli.commands.doctor; "
        f"print({{*{OPTIONAL!r}}} & set(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"
