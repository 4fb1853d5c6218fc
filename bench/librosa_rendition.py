"""Renders one spool with librosa. Runs in a separate environment, without the bot.

python librosa_rendition.py SPOOL INTO CENTS SPEED_PERCENT
"""

import json
import resource
import sys
import time

import librosa
import numpy as np

SAMPLE_RATE = 44_100


def rendered(sound: np.ndarray, cents: int, speed_percent: int) -> np.ndarray:
    """Return a sound (2, frames) in another key and at another speed."""
    if speed_percent != 100:
        sound = librosa.effects.time_stretch(sound, rate=speed_percent / 100)
    if cents:
        sound = librosa.effects.pitch_shift(sound, sr=SAMPLE_RATE, n_steps=cents / 100)
    return sound


def main() -> None:
    source, into, cents, speed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    sound = np.ascontiguousarray(np.fromfile(source, "<f4").reshape(-1, 2).T)
    rendered(sound[:, :SAMPLE_RATE], cents, speed)  # the first call compiles code
    begun = time.process_time()
    made = rendered(sound, cents, speed)
    cpu_s = time.process_time() - begun
    np.ascontiguousarray(made.T, "<f4").tofile(into)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu_s": cpu_s, "peak_mib": peak_mib}))


if __name__ == "__main__":
    main()
