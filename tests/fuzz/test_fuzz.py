"""A slice of `make fuzz`, with a fixed seed."""

from pathlib import Path

from tests.fuzz.__main__ import fuzz


async def test_spoiled_files_end_decoded_or_refused(tmp_path: Path) -> None:
    findings = await fuzz(tmp_path, seed=7, files=120, keep=tmp_path / "findings")
    assert findings.found == []
    assert {"decoded", "not_audio", "broken_file"} <= findings.ends.keys()
