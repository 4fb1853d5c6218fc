"""Analyses songs with librosa. bench.analysis runs this in an environment with librosa.

    python -m bench.librosa_reference FOLDER RATE

The folder holds mono mixes as 16-bit arrays.

Does not import the bot, so that the environment needs only librosa.
"""

import json
import sys
from pathlib import Path

import numpy as np

_NAMES = {
    "": ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"),
    "m": ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"),
}
_PROFILES = {
    "": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "m": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}
"""The key profiles of Krumhansl and Kessler; librosa includes none."""


def main() -> None:
    """Print tempo, beats, key and tuning of each song as JSON."""
    folder, rate = Path(sys.argv[1]), int(sys.argv[2])
    print(json.dumps([_heard(np.load(mix) / 32_768, rate) for mix in sorted(folder.iterdir())]))


def _heard(wave: np.ndarray, rate: int) -> dict[str, object]:
    import librosa

    tempo, beats_s = librosa.beat.beat_track(y=wave, sr=rate, units="time")
    return {
        "bpm": float(np.atleast_1d(tempo)[0]),
        "key": _key(librosa.feature.chroma_cqt(y=wave, sr=rate).mean(axis=1)),
        "cents": 100 * float(librosa.estimate_tuning(y=wave, sr=rate)),
        "beats_s": beats_s.tolist(),
    }


def _key(chroma: np.ndarray) -> str:
    scores = {
        _NAMES[mode][tonic] + mode: np.corrcoef(np.roll(profile, tonic), chroma)[0, 1]
        for mode, profile in _PROFILES.items()
        for tonic in range(12)
    }
    return max(scores, key=scores.__getitem__)


if __name__ == "__main__":
    main()
