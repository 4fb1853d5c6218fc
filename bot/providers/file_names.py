"""Telling stems apart by the names of their files, where a service does not label them."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

from bot.domain.recipes import Stem

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
    """Return for each address the stem that its file's name tells; None where it does not tell.

    Words that all names share say nothing: a song may be called "Bass". A name that tells two
    stems tells none, nor does one stem told by two names.
    """
    names = [Counter(_words(url)) for url in urls]
    shared = names[0] if names else Counter()
    for name in names[1:]:
        shared = shared & name
    told = [_told(name - shared if len(names) > 1 else name) for name in names]
    return tuple(stem if told.count(stem) == 1 else None for stem in told)


def _words(url: str) -> list[str]:
    name = unquote(urlsplit(url).path).rpartition("/")[2].lower()
    plain = _WITHOUT_REVERB.sub(" dry ", _WITHOUT_VOCALS.sub(" instrumental ", name))
    return re.findall(r"[^\W_]+", plain)


def _told(words: Counter[str]) -> Stem | None:
    stems = {_WORDS[word] for word in words if word in _WORDS}
    return stems.pop() if len(stems) == 1 else None
