"""Clips from real, confined children, and children that report false results."""

import json
from pathlib import Path

import numpy as np
import pytest

from bot.audio.child import master
from bot.audio.clip_task import CLIP_FRAMES, MOST_CLIP_BYTES
from bot.audio.tools import AudioTools
from bot.domain.errors import AudioFailed
from tests.support import audio_files
from tests.support.processes import forking

pytestmark = pytest.mark.asyncio(loop_scope="module")


def write(path, duration_s=8.0):
    with master.written(path) as append:
        append(audio_files.tone(duration_s).T.astype(np.float32))
    return path


async def test_a_clip_is_cut_in_a_confined_child(tmp_path, tools, monkeypatch):
    monkeypatch.chdir(tmp_path)
    voice, band = write(tmp_path / "voice.flac"), write(tmp_path / "band.flac")
    (tmp_path / "out").mkdir()
    told = await tools.clip(
        Path(voice.name), [Path(band.name)], Path("out/clip.mp3"), beats=[22_050]
    )
    assert (told.start, told.frames) == (22_050, CLIP_FRAMES)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["clip.mp3"]
    assert (tmp_path / "out" / "clip.mp3").stat().st_size == told.size_bytes


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (1000, {"size_bytes": 1001}),
        (0, {"size_bytes": 0}),
        (1000, {"frames": CLIP_FRAMES + 1}),
        (MOST_CLIP_BYTES + 1, {"size_bytes": MOST_CLIP_BYTES + 1}),
    ],
)
async def test_a_child_that_reports_another_clip_is_not_believed(tmp_path, written, told):
    claim = {"start": 0, "frames": CLIP_FRAMES, "size_bytes": written} | told
    code = (
        "import json; into = json.loads(task)['ClipTask']['into'];"
        f" open(into, 'wb').write(bytes({written})); print({json.dumps({'Clipped': claim})!r})"
    )
    voice = write(tmp_path / "voice.flac")
    async with AudioTools(server=forking(code)) as tools:
        with pytest.raises(AudioFailed):
            await tools.clip(voice, [], tmp_path / "clip.mp3")
    assert list(tmp_path.iterdir()) == [voice]
