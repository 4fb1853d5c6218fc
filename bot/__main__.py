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
    # Imported here because its dependencies need one of those systems.
    from bot.cli.command_line import run_command

    return run_command(arguments)


if __name__ == "__main__":
    os.umask(0o077)  # from here on, files are created readable by this user only
    status = main()
    if sys.platform == "win32":
        sys.exit(status)
    from bot.cli.shutdown import exit_now

    exit_now(status)
