"""Every file and folder that documents and docstrings name exists."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = ["ARCHITECTURE.md", "CONTRIBUTING.md"]
SOURCES = ["bench", "bot", "cogs", "sandbox", "storage", "tests"]
EXAMPLES = {"stemcord_attic.py"}
"""Files of the provider package that CONTRIBUTING.md shows."""
LIBRARIES = {"discord.py"}


def named_paths(document: str) -> Iterator[tuple[str, Path]]:
    """Yield each path in backticks, with the folder of the preceding path on its line."""
    text = re.sub(r"^```.*?^```", "", document, flags=re.DOTALL | re.MULTILINE)
    for line in text.splitlines():
        folder = ROOT
        for name in re.findall(r"`([\w./-]+(?:\.py|/))`", line):
            yield name, folder
            if "/" in name:
                folder = (ROOT / name) if name.endswith("/") else (ROOT / name).parent


def exists(name: str, folder: Path, sources: set[str]) -> bool:
    """Return whether the path exists from the root, beside the last one, or as a unique suffix."""
    if (ROOT / name).exists() or (folder / name).exists():
        return True
    return sum(source.endswith(f"/{name.rstrip('/')}") for source in sources) == 1


@pytest.fixture(scope="module")
def sources() -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for source in SOURCES
        for path in (ROOT / source).rglob("*")
        if path.is_dir() or path.suffix == ".py"
    }


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_named_path_exists(document: str, sources: set[str]):
    paths = list(named_paths((ROOT / document).read_text()))

    assert len(paths) > 10
    assert [
        name for name, folder in paths if name not in EXAMPLES and not exists(name, folder, sources)
    ] == []


def test_a_path_that_does_not_exist_or_is_ambiguous_is_found(sources: set[str]):
    folder = ROOT / "bot" / "jobs"

    assert exists("bot/jobs/poll.py", ROOT, sources)
    assert exists("poll.py", folder, sources)
    assert exists("ip_rules.py", folder, sources)
    assert not exists("bot/jobs/no_such_module.py", ROOT, sources)
    assert not exists("__init__.py", ROOT / "docs", sources)


@pytest.mark.parametrize("package", ["bot", "cogs", "storage"])
def test_every_module_named_in_the_sources_exists(package: str, sources: set[str]):
    named = {
        (source, name)
        for source in sources
        if source.startswith(f"{package}/") and source.endswith(".py")
        for name in re.findall(
            r"(?<![\w/.{}-])((?:[\w-]+/)*\w+\.py)\b", (ROOT / source).read_text()
        )
        if name not in LIBRARIES
    }

    assert {
        (at, name) for at, name in named if not exists(name, (ROOT / at).parent, sources)
    } == set()
