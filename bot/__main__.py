"""`python -m bot`: the command line; runs on Linux and macOS."""

import gc
import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the process's exit status."""
    if sys.platform == "win32":
        print(
            "Stemcord runs on Linux and macOS; on Windows use WSL or the container.",
            file=sys.stderr,
        )
        return 1
    gc.disable()  # it would scan the modules again and again while they are being imported
    # Imported here because the command line's dependencies need Linux or macOS.
    from bot.cli.command_line import run_command

    gc.freeze()  # each later scan of the modules would delay a bot's answers by 30 ms
    gc.enable()
    return run_command(arguments)


if __name__ == "__main__":
    os.umask(0o077)  # files created from here on are readable by this user only
    status = main()
    if sys.platform == "win32":
        sys.exit(status)
    from bot.cli.shutdown import exit_now

    exit_now(status)
