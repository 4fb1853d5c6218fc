import numpy as np
import pytest

from bot.engine.worker.spool_io import Spool, SpoolMismatch, SpoolWriter
from tests.unit.engine import nets


def test_reads_any_part_with_silence_outside_the_song(tmp_path):
    samples = nets.song(10)
    with Spool(nets.write_spool(tmp_path / "s.f32", samples), frames=10) as spool:
        np.testing.assert_array_equal(spool.read(2, 7), samples[:, 2:7])
        np.testing.assert_array_equal(
            spool.read(-3, 13), np.pad(samples, ((0, 0), (3, 3))).astype(np.float32)
        )
        np.testing.assert_array_equal(spool.read(20, 24), np.zeros((2, 4), np.float32))


def test_writes_what_it_reads_back(tmp_path):
    samples = nets.song(1000)
    with SpoolWriter(tmp_path / "s.f32") as writer:
        writer.write(samples[:, :300])
        writer.write(samples[:, 300:300])
        writer.write(samples[:, 300:])
    np.testing.assert_array_equal(nets.read_spool(tmp_path / "s.f32"), samples)


@pytest.mark.parametrize("frames", [9, 11])
def test_refuses_a_spool_of_another_length(tmp_path, frames):
    path = nets.write_spool(tmp_path / "s.f32", nets.song(10))
    with pytest.raises(SpoolMismatch):
        Spool(path, frames=frames)


def test_refuses_a_spool_that_is_not_there(tmp_path):
    with pytest.raises(SpoolMismatch):
        Spool(tmp_path / "none.f32", frames=0)


def test_notices_a_spool_that_shrinks_while_being_read(tmp_path):
    path = nets.write_spool(tmp_path / "s.f32", nets.song(10))
    with Spool(path, frames=10) as spool:
        with path.open("r+b") as file:
            file.truncate(40)
        with pytest.raises(SpoolMismatch):
            spool.read(0, 10)
