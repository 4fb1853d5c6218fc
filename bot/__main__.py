"""`python -m bot`: the command line, on the systems that the bot runs on."""

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
    # Here and not above: what it brings in needs one of those systems.
    from bot.cli.command_line import run_command

    return run_command(arguments)


if __name__ == "__main__":
    os.umask(0o077)  # whatever is written from here on is for this user alone
    status = main()
    if sys.platform == "win32":
        sys.exit(status)
    from bot.cli.shutdown import exit_now

    exit_now(status)
