"""The stems' colours in pictures and on the mixer page. Imports no third-party library."""

from collections.abc import Mapping

Colour = tuple[int, int, int]

_COLOURS: Mapping[str, Colour] = {
    "vocals": (255, 122, 144),
    "lead vocals": (255, 122, 144),
    "backing vocals": (245, 160, 214),
    "instrumental": (91, 168, 255),
    "drums": (255, 178, 77),
    "bass": (168, 130, 255),
    "guitar": (240, 136, 92),
    "piano": (120, 214, 255),
    "strings": (232, 206, 110),
    "wind": (136, 220, 180),
    "synth": (214, 120, 245),
    "other": (79, 209, 165),
    "dry": (122, 200, 230),
}
_SPARE_COLOURS = ((91, 168, 255), (79, 209, 165), (255, 178, 77), (168, 130, 255))


def colour_of(label: str, number: int) -> Colour:
    """Return the colour of the stem with this English label in row `number` of its job."""
    spare = _SPARE_COLOURS[number % len(_SPARE_COLOURS)]
    return _COLOURS.get(label.lower(), spare)
