"""Songs with known stems: a folder like MUSDB18-HQ, or the clip of `bench.material`.

test/A song/mixture.wav, vocals.wav, drums.wav, bass.wav, other.wav
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.material import Audio, clip, decode
from bot.domain.recipes import Stem

SOURCES = (Stem.VOCALS, Stem.DRUMS, Stem.BASS, Stem.OTHER)
_MIXTURE = "mixture"
_FILES = tuple(f"{name}.wav" for name in (_MIXTURE, *SOURCES))


class NoDataset(Exception):
    """The folder is not laid out like MUSDB18-HQ; the text is a sentence for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSong:
    """A song and its true stems."""

    name: str
    mixture: Audio
    truth: Mapping[Stem, Audio]
    """The four sources, and the instrumental, which is the sum of three of them."""


def the_clip(cache: Path) -> KnownSong:
    """Return the 6-second clip, fetched on first use."""
    truth = clip(cache)
    mixture = truth[Stem.VOCALS] + truth[Stem.INSTRUMENTAL]
    return KnownSong(name="clip", mixture=mixture, truth=truth)


def song_folders(dataset: Path, *, most: int | None) -> Sequence[Path]:
    """Return the first song folders in alphabetical order; raises NoDataset if there are none.

    The songs are in the folder `test`, if there is one.
    """
    home = dataset / "test" if (dataset / "test").is_dir() else dataset
    folders = sorted(path.parent for path in home.glob(f"*/{_MIXTURE}.wav"))
    if not folders:
        raise NoDataset(f"{home} has no folders with {_MIXTURE}.wav in them")
    for folder in folders[:most]:
        missing = [name for name in _FILES if not (folder / name).is_file()]
        if missing:
            raise NoDataset(f"{folder} lacks {', '.join(missing)}")
    return folders[:most]


def read_song(folder: Path) -> KnownSong:
    """Decode a song and its stems, all cut to the shortest."""
    mixture, *sources = (decode(folder / name) for name in _FILES)
    frames = min(mixture.shape[1], *(source.shape[1] for source in sources))
    truth = {stem: s[:, :frames] for stem, s in zip(SOURCES, sources, strict=True)}
    backing = [truth[stem] for stem in SOURCES if stem is not Stem.VOCALS]
    truth[Stem.INSTRUMENTAL] = np.sum(backing, axis=0)
    return KnownSong(name=folder.name, mixture=mixture[:, :frames], truth=truth)
