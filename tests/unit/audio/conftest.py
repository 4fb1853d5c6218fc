import pytest

from bot.audio.child.decoding.decode import decode
from bot.audio.spool import SAMPLE_RATE
from bot.audio.tasks import DecodeTask
from tests.support import audio_files


@pytest.fixture
def decoded(tmp_path):
    """Decode a file in this process; return what it told and the samples."""

    def run(source, *, max_duration_s=60.0):
        into = tmp_path / "decoded.f32"
        told = decode(
            DecodeTask(source=source, into=into, max_frames=int(max_duration_s * SAMPLE_RATE))
        )
        return told, audio_files.read_spool(into)

    return run
