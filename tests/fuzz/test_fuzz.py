"""The table of `make fuzz`, and a slice of its corrupted files with a fixed seed."""

from pathlib import Path

import pytest

from tests.fuzz.__main__ import fuzz
from tests.fuzz.odd_files import BAD, GOOD, Bad, Good
from tests.fuzz.table import bad_row, good_row


@pytest.mark.parametrize("good", GOOD, ids=lambda good: good.name)
def test_what_decodes_is_decoded_whole(tmp_path: Path, good: Good) -> None:
    assert good_row(good, tmp_path).fault == ""


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_what_does_not_is_refused_with_the_reason(tmp_path: Path, bad: Bad) -> None:
    assert bad_row(bad, tmp_path).fault == ""


async def test_spoiled_files_end_decoded_or_refused(tmp_path: Path) -> None:
    findings = await fuzz(tmp_path, seed=7, files=120, keep=tmp_path / "findings")
    assert findings.found == []
    assert {"decoded", "not_audio", "broken_file"} <= findings.ends.keys()
