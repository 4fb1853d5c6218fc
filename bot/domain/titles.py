"""Song titles and file names, made from untrusted text."""

import re
import unicodedata
from collections.abc import Iterator

from bot.domain.recipes import AudioFormat, Stem
from bot.domain.renditions import CENTS_A_SEMITONE, UNCHANGED, UNCHANGED_PERCENT, Rendition

_SUFFIXES = """
3g2 3gp aac ac3 aif aifc aiff alac amr ape asf au avi bwf caf dff dsf dts eac3 f4v flac flv m2ts
m4a m4b m4r m4v mid midi mka mkv mov mp2 mp3 mp4 mpc mpeg mpg mpga mts oga ogg ogv ogx opus qt ra
rf64 rm shn snd spx tak ts tta vob voc w64 wav wave weba webm wma wmv wv
"""
SONG_SUFFIXES = frozenset(f".{suffix}" for suffix in _SUFFIXES.split())
"""Extensions of audio and video files, in lower case."""
MAX_TITLE = 80
MAX_SOUND_NAME = 32
MAX_FILENAME_BYTES = 250
"""File systems allow 255 bytes, but the temporary name of a file being written is longer."""
UNTITLED = "Untitled"
SONGS = "Songs"
"""The name of a file with several songs."""

_MOST_NAMED_LEVELS = 6
"""No separation has more stems, but a client may give levels for any."""

_SPOILER = "SPOILER_"
"""Discord's prefix for files that are hidden until clicked."""
_JUNK = re.compile(
    r"""[\[(]\s*(?:official\b[^\])]*|lyrics?(?:\s+video)?|audio|video|m/?v|hd|hq|4k|
        \d{3,4}p|visuali[sz]er|explicit|\d{2,3}\s*kbps|www\.[^\])]*)\s*[\])]""",
    re.IGNORECASE | re.VERBOSE,
)
_UNSAFE = re.compile(r'[<>:"/\\|?*]')
_ZWNJ, _ZWJ = "\u200c", "\u200d"
_SKIN_TONES = range(0x1F3FB, 0x1F400)


def plain(text: str) -> str:
    """Return `text` without control, format (bidi) and unassigned characters, with runs of spaces
    merged.

    Joiners are kept where they have a meaning: inside emoji, and inside words of scripts that use
    them, such as Persian.
    """
    text = unicodedata.normalize("NFC", text)
    kept = "".join(
        " " if char.isspace() else char
        for index, char in enumerate(text)
        if char.isspace() or unicodedata.category(char)[0] != "C" or _joins(text, index)
    )
    return " ".join(kept.split())


def title_of(filename: str, *, title: str | None = None, artist: str | None = None) -> str:
    """Return a song's title: from its tags if they have one, else from its file name."""
    if title and (named := plain(title).removeprefix(_SPOILER)):
        by = plain(artist or "")
        return cut(f"{by} - {named}" if by and by not in named else named, MAX_TITLE)
    name = _without_suffix(filename.removeprefix(_SPOILER))
    stem = plain(name.replace("_", " "))
    cleaned = plain(_JUNK.sub(" ", stem))
    return cut(cleaned or stem or UNTITLED, MAX_TITLE)


def has_song_suffix(filename: str) -> bool:
    """Whether a file name has an audio or video extension."""
    return _without_suffix(filename) != filename


def stem_filename(
    title: str, stem: Stem, audio_format: AudioFormat, rendition: Rendition = UNCHANGED
) -> str:
    """Return the name of a delivered file for any file system.

    It says what the file holds, like `Neon Rain (No Drums).mp3`, `Neon Rain (Vocals, -2, 90 %).mp3`
    or `Neon Rain (Mix, vocals 25 %, +3).mp3`.
    """
    what = ", ".join((stem_label(stem), *_changes(rendition)))
    return _filename(title, f" ({what}).{audio_format.value}")


def zip_filename(title: str, rendition: Rendition = UNCHANGED) -> str:
    """Return the name of a file with all of a song's stems, like `Neon Rain (Stems, -2).zip`."""
    what = ", ".join(("Stems", *_changes(rendition)))
    return _filename(title, f" ({what}).zip")


def clip_filename(title: str) -> str:
    """Return the name of a file with a few seconds of a song, like `Neon Rain (Clip).mp3`."""
    return _filename(title, " (Clip).mp3")


def sound_name(title: str) -> str:
    """Return a song's name on a soundboard, of 2 to 32 characters."""
    name = cut(plain(title), MAX_SOUND_NAME)
    return name if len(name) > 1 else f"{name or UNTITLED} (Clip)"


def zip_folder(title: str, number: int) -> str:
    """Return the name of a song's folder in a file with several songs, like `02 Neon Rain`."""
    return f"{number:02} {_filename(title, '')}"


def linked_name(stem: Stem, audio_format: AudioFormat, rendition: Rendition = UNCHANGED) -> str:
    """Return a stem's name for an address, without any of the user's words."""
    if rendition.is_plain:
        return f"{stem}.{audio_format}"
    return f"{stem}.{rendition.token}.{audio_format}"


def linked_zip_name(audio_format: AudioFormat, rendition: Rendition = UNCHANGED) -> str:
    """Return the name, in an address, of a file with all stems, without any of the user's words."""
    return f"all-{audio_format}.{rendition.token}.zip"


def linked_songs_name(audio_format: AudioFormat, content: str) -> str:
    """Return the name, in an address, of a file with several songs; `content` is a short digest."""
    return f"songs-{audio_format}.{content}.zip"


def stem_label(stem: Stem) -> str:
    """Return a stem's name in file names, like `No Drums`; never translated."""
    return stem.value.replace("_", " ").title()


def _changes(rendition: Rendition) -> Iterator[str]:
    """Yield what differs from the stems as they were made, like `vocals 25 %`, `+3`, `90 %`."""
    if len(rendition.levels) > _MOST_NAMED_LEVELS:
        yield "own levels"
    else:
        for stem, percent in rendition.levels:
            name = stem_label(stem).lower()
            yield f"{name} {percent} %" if percent else f"no {name}"
    semitones, rest = divmod(rendition.cents, CENTS_A_SEMITONE)
    if rest:
        yield f"{rendition.cents:+} cents"
    elif semitones:
        yield f"{semitones:+}"
    if rendition.speed_percent != UNCHANGED_PERCENT:
        yield f"{rendition.speed_percent} %"
    if rendition.click:
        yield "click" if rendition.click.is_throughout else "count-in"


def cut(text: str, max_length: int) -> str:
    """Return `text` shortened to `max_length` characters, at a letter boundary, ending in `…`."""
    if len(text) <= max_length:
        return text
    kept = ""
    for letter in _letters(text):
        if len(kept) + len(letter) >= max_length:
            break
        kept += letter
    # A single letter with many marks may not fit.
    return (kept or text[: max_length - 1]).rstrip() + "…"


def _filename(title: str, ending: str) -> str:
    safe = plain(_UNSAFE.sub(" ", title)).strip(". ") or UNTITLED
    return _first_bytes(safe, MAX_FILENAME_BYTES - len(ending.encode())) + ending


def _first_bytes(text: str, max_bytes: int) -> str:
    if len(text.encode()) <= max_bytes:
        return text
    kept, left = "", max_bytes
    for letter in _letters(text):
        left -= len(letter.encode())
        if left < 0:
            break
        kept += letter
    return (kept or text.encode()[:max_bytes].decode(errors="ignore")).rstrip(". ")


def _without_suffix(filename: str) -> str:
    name, dot, suffix = filename.rpartition(".")
    return name if f"{dot}{suffix}".lower() in SONG_SUFFIXES else filename


def _letters(text: str) -> Iterator[str]:
    """Yield letters as readers see them: a base with its marks, or a whole emoji."""
    letter = ""
    for char in text:
        if letter and not _continues(letter, char):
            yield letter
            letter = ""
        letter += char
    yield letter


def _continues(letter: str, char: str) -> bool:
    is_mark = unicodedata.category(char)[0] == "M" or ord(char) in _SKIN_TONES
    is_flag = len(letter) == 1 and _is_flag_half(letter) and _is_flag_half(char)
    return is_mark or is_flag or char in (_ZWNJ, _ZWJ) or letter[-1] == _ZWJ


def _is_flag_half(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _joins(text: str, index: int) -> bool:
    if text[index] not in (_ZWNJ, _ZWJ) or not 0 < index < len(text) - 1:
        return False
    before, after = text[index - 1], text[index + 1]
    # Latin words need no joiners, which would only make equal names differ.
    is_in_word = all(
        ord(char) > 0x24F and unicodedata.category(char)[0] in "LM" for char in (before, after)
    )
    return is_in_word or (text[index] == _ZWJ and _is_emoji(before) and _is_emoji(after))


def _is_emoji(char: str) -> bool:
    is_styled = char == "\ufe0f" or ord(char) in _SKIN_TONES
    return is_styled or unicodedata.category(char) == "So"
