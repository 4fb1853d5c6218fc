"""The lock files are pinned, hashed, consistent with each other, and contain no addresses."""

import re
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
LOCKS = ["run.lock", "cluster.lock", "dev.lock", "studio.lock", "gpu.lock"]


def pins(lock: str) -> dict[str, str]:
    """Return each pinned package with the rest of its entry."""
    entries = re.split(r"^(?=\w)", (REQUIREMENTS / lock).read_text(), flags=re.MULTILINE)
    return dict(entry.partition("==")[::2] for entry in entries if "==" in entry)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_has_one_version_and_hashes(lock: str):
    text = (REQUIREMENTS / lock).read_text()
    names = re.findall(r"^([\w.-]+)==", text, flags=re.MULTILINE)

    assert len(names) == len(set(names)) > 10
    assert [name for name, entry in pins(lock).items() if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_address_option_or_outside_path_is_recorded(lock: str):
    lines = (REQUIREMENTS / lock).read_text().splitlines()

    allowed = re.compile(
        r"[\w.-]+==[\w.]+( ; [\w .'<>=!()]+)? \\"
        r"|    --hash=sha256:[0-9a-f]{64}( \\)?"
        r"|    # via [\w., -]+"
    )
    clean = [re.sub(r"-[rc] requirements/\w+\.(in|lock)", "own", line) for line in lines]
    assert [line for line in clean if not allowed.fullmatch(line)] == []


@pytest.mark.parametrize("larger", ["cluster.lock", "dev.lock"])
def test_larger_locks_hold_what_runs_with_the_same_files(larger: str):
    run, dev = pins("run.lock"), pins(larger)

    def pinned(entry: str) -> str:
        return entry.partition("    # via")[0]

    assert {name: pinned(entry) for name, entry in run.items()} == {
        name: pinned(dev.get(name, "missing")) for name in run
    }


@pytest.mark.parametrize(
    ("source", "lock"),
    [
        ("run.in", "run.lock"),
        ("cluster.in", "cluster.lock"),
        ("cluster.in", "dev.lock"),
        ("dev.in", "dev.lock"),
        ("studio.in", "studio.lock"),
        ("gpu.in", "gpu.lock"),
    ],
)
def test_everything_asked_for_is_locked(source: str, lock: str):
    asked = re.findall(r"^[\w.-]+", (REQUIREMENTS / source).read_text(), flags=re.MULTILINE)

    def normal(name: str) -> str:
        return re.sub(r"[._]", "-", name).lower()

    assert asked
    assert {normal(name) for name in asked} <= set(pins(lock))
