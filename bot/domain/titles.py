"""Names of songs and files, made from what strangers typed."""

import re
import unicodedata

from bot.domain.recipes import AudioFormat, Stem

_JUNK = re.compile(
    r"""[\[(]\s*(?:official\b[^\])]*|lyrics?(?:\s+video)?|audio|video|m/?v|hd|hq|4k|
        \d{3,4}p|visuali[sz]er|explicit|\d{2,3}\s*kbps|www\.[^\])]*)\s*[\])]""",
    re.IGNORECASE | re.VERBOSE,
)
_UNSAFE = re.compile(r'[<>:"/\\|?*]')
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,5}$")

MAX_TITLE = 80


def plain(text: str) -> str:
    """Return `text` without control, format (bidi) and unassigned characters, spaces folded."""
    kept = "".join(
        " " if char.isspace() else char
        for char in unicodedata.normalize("NFC", text)
        if char.isspace() or unicodedata.category(char)[0] != "C"
    )
    return " ".join(kept.split())


def title_of(filename: str, *, title: str | None = None, artist: str | None = None) -> str:
    """Return a song's name: from its tags where it has a title, else from its file's name."""
    if title and (named := plain(title)):
        by = plain(artist or "")
        return _shorten(f"{by} - {named}" if by and by not in named else named)
    stem = plain(_EXTENSION.sub("", filename).replace("_", " "))
    cleaned = plain(_JUNK.sub(" ", stem))
    return _shorten(cleaned or stem or "Untitled")


def stem_filename(title: str, stem: Stem, audio_format: AudioFormat) -> str:
    """Return the name of a delivered file, like `Neon Rain (No Drums).mp3`."""
    safe = plain(_UNSAFE.sub(" ", title)).strip(". ") or "Untitled"
    return f"{safe} ({stem_label(stem)}).{audio_format.value}"


def linked_name(stem: Stem, audio_format: AudioFormat) -> str:
    """Return a stem's name in an address, which carries nobody's words."""
    return f"{stem}.{audio_format}"


def stem_label(stem: Stem) -> str:
    """Return a stem's name as it stands in file names, like `No Drums`; never translated."""
    return stem.value.replace("_", " ").title()


def _shorten(text: str) -> str:
    if len(text) <= MAX_TITLE:
        return text
    return text[: MAX_TITLE - 1].rstrip() + "…"
