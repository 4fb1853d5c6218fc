"""Runs a module of this code base under another interpreter: `python -I foreign.py MODULE ...`.

Only our own packages become importable. The packages installed beside them belong to another
interpreter, and would hide the ones for which this interpreter was chosen.
"""

import importlib.util
import runpy
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_OURS = ("bot", "storage")


def main() -> None:
    """Run the module that the command line names, with the rest of the arguments."""
    for name in _OURS:
        folder = _ROOT / name
        spec = importlib.util.spec_from_file_location(
            name, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        if spec is not None and spec.loader is not None:
            sys.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(sys.modules[name])
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
