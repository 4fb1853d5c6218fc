"""Run under another interpreter: prints what it has, as one line of JSON.

interpreter.py starts it and decodes the line. It also has to work under versions of Python that are
too old for the bot, to say which one it is.
"""

import importlib.metadata
import json
import os
import sys


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _providing(module: str) -> "list[str]":
    """Return the installed distributions that contain a module; there should be one."""
    try:
        found = importlib.metadata.packages_distributions()
    except AttributeError:  # before Python 3.10
        return []
    return sorted(set(found.get(module, [])))


def main() -> None:
    """Print the report."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries print to standard output
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    providers, problem = [], ""
    runtimes = _providing("onnxruntime")
    if runtimes:
        try:
            import onnxruntime

            providers = list(onnxruntime.get_available_providers())
        except (ImportError, AttributeError, OSError) as exc:
            problem = f"onnxruntime cannot be used: {exc}"
    told = {
        "version": ".".join(map(str, sys.version_info[:3])),
        "runtimes": runtimes,
        "runtime_version": _version(runtimes[0]) if runtimes else "",
        "providers": providers,
        "torch": _version("torch"),
        "problem": problem,
    }
    replies.write(json.dumps({"InterpreterReport": told}) + "\n")
    replies.flush()


if __name__ == "__main__":
    main()
