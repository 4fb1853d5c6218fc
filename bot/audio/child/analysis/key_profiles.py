"""Published key profiles: how often each note occurs in a key, from the tonic up.

- Krumhansl: C. L. Krumhansl and E. J. Kessler, "Tracing the dynamic changes in perceived tonal
  organization in a spatial representation of musical keys", Psychological Review 89(4), 1982.
- Temperley 1999: D. Temperley, "What's key for key? The Krumhansl-Schmuckler key-finding algorithm
  reconsidered", Music Perception 17(1), 1999.
- Temperley 2005: D. Temperley, "Music and Probability", MIT Press 2007 (Kostka-Payne corpus).
- Sha'ath: I. Sha'ath, "Estimation of key in digital music recordings", Birkbeck College 2011.
- EDMA, BGATE: Á. Faraldo, E. Gómez, S. Jordà and P. Herrera, "Key estimation in electronic dance
  music", ECIR 2016, and Á. Faraldo, S. Jordà and P. Herrera, "A multi-profile method for key
  estimation in EDM", AES 2017.
"""

import numpy as np
from numpy.typing import NDArray

from bot.domain.analysis import PITCH_CLASSES

_KRUMHANSL = (
    (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
)
_TEMPERLEY_1999 = (
    (5.0, 2.0, 3.5, 2.0, 4.5, 4.0, 2.0, 4.5, 2.0, 3.5, 1.5, 4.0),
    (5.0, 2.0, 3.5, 4.5, 2.0, 4.0, 2.0, 4.5, 3.5, 2.0, 1.5, 4.0),
)
_TEMPERLEY_2005 = (
    (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400),
    (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330),
)
_SHAATH = (
    (6.6, 2.0, 3.5, 2.3, 4.6, 4.0, 2.5, 5.2, 2.4, 3.7, 2.3, 3.4),
    (6.5, 2.7, 3.5, 5.4, 2.6, 3.5, 2.5, 5.2, 4.0, 2.7, 4.3, 3.2),
)
_EDMA = (
    (1.0, 0.2875, 0.5020, 0.4048, 0.6050, 0.5614, 0.3205, 0.7966, 0.3159, 0.4506, 0.4202, 0.3889),
    (1.0, 0.3096, 0.4415, 0.5827, 0.3262, 0.4948, 0.2889, 0.7804, 0.4328, 0.2903, 0.5331, 0.3217),
)
_BGATE = (
    (1.00, 0.00, 0.42, 0.00, 0.53, 0.37, 0.00, 0.77, 0.00, 0.38, 0.21, 0.30),
    (1.00, 0.00, 0.36, 0.39, 0.00, 0.38, 0.00, 0.74, 0.27, 0.00, 0.42, 0.23),
)
_PROFILES = (_KRUMHANSL, _TEMPERLEY_1999, _TEMPERLEY_2005, _SHAATH, _EDMA, _BGATE)

COUNT = len(_PROFILES)
KEYS = 2 * PITCH_CLASSES
"""Key n has the tonic n modulo 12; the first twelve are major."""


def correlations(classes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the correlations of twelve pitch classes with the keys, as (profiles, `KEYS`)."""
    heard = _standardised(classes)
    correlation: NDArray[np.float64] = _templates() @ heard / PITCH_CLASSES
    return correlation


def _templates() -> NDArray[np.float64]:
    """Return every profile for every tonic, as (profiles, keys, pitch classes)."""
    by_mode = _standardised(np.array(_PROFILES))
    moved = [
        np.roll(by_mode[:, mode], tonic, axis=1)
        for mode in range(2)
        for tonic in range(PITCH_CLASSES)
    ]
    return np.stack(moved, axis=1)


def _standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = values - values.mean(axis=-1, keepdims=True)
    spread = centred.std(axis=-1, keepdims=True)
    scaled: NDArray[np.float64] = centred / np.maximum(spread, 1e-12)
    return scaled
