"""Identifies stems by file names, for services that do not label their results."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote

from bot.domain.recipes import Stem
from bot.net.addresses import InvalidAddress, parse_address

_WITHOUT_VOCALS: Final = re.compile(r"(?<![^\W_])(?:no|non|without|minus)[\W_]*(?:vocals?|voice)")
_WITHOUT_REVERB: Final = re.compile(r"(?<![^\W_])(?:no|de|without|minus)[\W_]*(?:reverb|echo)")
_WORDS: Final = {
    "vocals": Stem.VOCALS,
    "vocal": Stem.VOCALS,
    "instrumental": Stem.INSTRUMENTAL,
    "instrumentals": Stem.INSTRUMENTAL,
    "accompaniment": Stem.INSTRUMENTAL,
    "drums": Stem.DRUMS,
    "drum": Stem.DRUMS,
    "bass": Stem.BASS,
    "guitar": Stem.GUITAR,
    "piano": Stem.PIANO,
    "other": Stem.OTHER,
    "dry": Stem.DRY,
}


def stems_by_name(urls: Sequence[str]) -> tuple[Stem | None, ...]:
    """Return the stem that each address's file name names, or None.

    Words that all names share are ignored, since a song may be called "Bass". A name that contains
    two stems counts as naming none, and so do two names that contain the same stem.
    """
    names = [Counter(_words(url)) for url in urls]
    shared = names[0] if names else Counter()
    for name in names[1:]:
        shared = shared & name
    found = [_stem_in(name - shared if len(names) > 1 else name) for name in names]
    times = Counter(found)
    return tuple(stem if times[stem] == 1 else None for stem in found)


def _words(url: str) -> list[str]:
    try:
        path = parse_address(url).path
    except InvalidAddress:  # ignored here, because fetching it will fail
        return []
    name = unquote(path).rpartition("/")[2].lower()
    plain = _WITHOUT_REVERB.sub(" dry ", _WITHOUT_VOCALS.sub(" instrumental ", name))
    return re.findall(r"[^\W_]+", plain)


def _stem_in(words: Counter[str]) -> Stem | None:
    stems = {_WORDS[word] for word in words if word in _WORDS}
    return stems.pop() if len(stems) == 1 else None
