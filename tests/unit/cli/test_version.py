from pathlib import Path

import bot
from bot.cli.version import _digest_of, our_version


def test_another_version_is_one_with_other_audio_code(tmp_path: Path):
    for name in ("audio/child/encode.py", "workers/audio/portable_tasks.py", "jobs/poll.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("1")
    before = _digest_of(tmp_path)
    (tmp_path / "jobs/poll.py").write_text("2")
    assert _digest_of(tmp_path) == before
    (tmp_path / "audio/child/encode.py").write_text("2")
    assert _digest_of(tmp_path) != before
    assert our_version().endswith(f"+{_digest_of(Path(bot.__file__).parent)}")
