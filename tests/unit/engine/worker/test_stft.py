import numpy as np
import pytest

from bot.engine.worker.stft import (
    COLUMN,
    HOP,
    LEAD,
    Resynthesis,
    analyse,
    column_count,
    span,
    synthesise,
)
from tests.unit.engine import nets

AWKWARD = [0, 1, HOP - 1, HOP, HOP + 1, COLUMN - 1, COLUMN, COLUMN + 1, 7 * HOP, 20_000]


def there_and_back(samples, *, block):
    frames = samples.shape[1]
    padded = np.pad(samples, ((0, 0), (LEAD, LEAD + HOP)))
    resynthesis = Resynthesis(frames=frames)
    pieces: list[np.ndarray] = []
    for first in range(0, column_count(frames), block):
        start, stop = span(first, min(first + block, column_count(frames)))
        piece = padded[:, start + LEAD : stop + LEAD]
        at, finished = resynthesis.add(synthesise(analyse(piece, threads=1), threads=1))
        assert at == sum(each.shape[1] for each in pieces)
        pieces.append(finished)
    return np.concatenate([*pieces, np.zeros((2, 0), np.float32)], axis=1)


@pytest.mark.parametrize("frames", AWKWARD)
@pytest.mark.parametrize("block", [1, 2, 3, 5, 1000])
def test_gives_back_exactly_the_samples_it_took_in_blocks_of_any_size(frames, block):
    samples = nets.song(frames)
    returned = there_and_back(samples, block=block)
    assert returned.shape == samples.shape
    np.testing.assert_allclose(returned, samples, atol=1e-6)


@pytest.mark.parametrize("frames", AWKWARD[1:])
def test_has_no_column_that_sees_nothing_of_the_song(frames):
    last_start, _ = span(column_count(frames) - 1, column_count(frames))
    assert last_start < frames
