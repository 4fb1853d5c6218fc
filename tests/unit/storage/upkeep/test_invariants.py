"""The audit finds nothing in the services' own data, and exactly each planted violation."""

import asyncio
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.domain.job import State
from storage.database.opening import PostgresUrl
from tests.unit.storage.upkeep.evidence import Evidence, collect
from tests.unit.storage.upkeep.violations import VIOLATIONS, Violation

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def original(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    root = tmp_path_factory.mktemp("original")
    if server is None:
        yield asyncio.run(collect(root))
        return
    with server.database() as url:
        yield asyncio.run(collect(root, PostgresUrl(url)))


@pytest.fixture
def evidence(server: Any, original: Evidence, tmp_path: Path) -> Iterator[Evidence]:
    shutil.copytree(original.root, tmp_path, dirs_exist_ok=True)
    yield from of_copied_database(server, original, tmp_path)


@pytest.fixture
def rows(server: Any, original: Evidence, tmp_path: Path) -> Iterator[Evidence]:
    """The evidence with the original's files, which a test must not change."""
    if original.address is None:
        shutil.copy(original.database, tmp_path)
    (tmp_path / original.jobs.name).symlink_to(original.jobs)
    yield from of_copied_database(server, original, tmp_path)


def of_copied_database(server: Any, original: Evidence, root: Path) -> Iterator[Evidence]:
    if original.address is None:
        yield Evidence(root)
        return
    with server.copy(original.address.secret) as url:
        yield Evidence(root, PostgresUrl(url))


def test_what_the_services_leave_is_clean(evidence: Evidence):
    findings = evidence.audit()
    assert [str(each) for each in findings if not each.is_good] == []
    assert {each.invariant for each in findings} == {1, 2, 3, 4, 5, 6, 7, 8}


@pytest.mark.parametrize("violation", VIOLATIONS, ids=str)
def test_a_violation_breaks_its_claim_and_no_other(rows: Evidence, violation: Violation):
    rows.plant(*violation.statements)
    assert rows.broken() == {violation.claim: (violation.offender,)}


def test_every_claim_about_rows_can_fail(evidence: Evidence):
    claims = {each.claim for each in evidence.audit()}
    of_files = {
        "no files without a job",
        "finished jobs have their stems",
        "the database file is whole",
    }
    assert {each.claim for each in VIOLATIONS} == claims - of_files


def listed() -> dict[int, list[str]]:
    """Return the claims that ARCHITECTURE.md lists, by their invariant's number."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = text.split("## Invariants\n")[1].split("\n## ")[0]
    claims: dict[int, list[str]] = {}
    for line in section.splitlines():
        if number := re.match(r"(\d+)\. ", line):
            claims[int(number[1])] = []
        elif claim := re.match(r"   - `(.+?)`", line):
            claims[max(claims)].append(claim[1])
    return claims


def test_architecture_lists_what_the_audit_checks_under_the_same_number(evidence: Evidence):
    checked: dict[int, list[str]] = {}
    for finding in evidence.audit(drained=True):
        checked.setdefault(finding.invariant, []).append(finding.claim)

    assert {number: sorted(claims) for number, claims in listed().items()} == {
        number: sorted(claims) for number, claims in checked.items()
    }


def test_drained_means_that_every_job_is_over_and_shown(evidence: Evidence):
    evidence.plant("UPDATE jobs SET wanted_version = wanted_version + 1 WHERE id = 'kept'")
    assert evidence.broken() == {}
    unfinished = tuple(sorted(state.value for state in State if not state.is_final))
    assert evidence.broken(drained=True) == {
        "every job is over": unfinished,
        "finished replies show how it ended": ("kept",),
    }


@pytest.mark.parametrize("name", ["a2b3c", "expired", "stray.flac"])
def test_files_without_a_job_are_named(evidence: Evidence, name: str):
    (evidence.jobs / name).mkdir()
    assert evidence.broken() == {"no files without a job": (name,)}


@pytest.mark.parametrize("job", ["ready", "delivered", "kept"])
def test_a_result_without_its_stems_is_named(evidence: Evidence, job: str):
    (evidence.jobs / job / "masters" / "bass.flac").unlink()
    assert evidence.broken() == {"finished jobs have their stems": (job,)}


def test_a_data_directory_without_jobs_folder_lacks_the_stems(evidence: Evidence):
    shutil.rmtree(evidence.jobs)
    assert evidence.broken() == {"finished jobs have their stems": ("delivered", "kept", "ready")}
