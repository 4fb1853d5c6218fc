"""Decodes tags that were stored without their text encoding.

FFmpeg reads RIFF INFO and ID3 tags as Latin-1, but many programs wrote them in the system's
encoding, such as Windows-1251 in Russia or Shift-JIS in Japan. A tag that fits no known encoding is
dropped, and the file's name is shown instead.
"""

import re
import unicodedata

_GUESSED = frozenset({"mp3", "wav", "w64", "aiff", "avi", "aac", "tta"})
"""Demuxers of formats with such tags; all others use UTF-8 or UTF-16."""
_UNDECODABLE = "surrogateescape"
_CYRILLIC = re.compile("[А-Яа-яЁё]+")
_JAPANESE = re.compile("[\u3000-\u30ff\u4e00-\u9fff\uff01-\uff5e]")


def words_of(text: str, demuxer: str) -> str | None:
    """Return the decoded tag, or None if its encoding cannot be determined.

    `text` may hold lone surrogates for bytes that are not valid UTF-8.
    """
    raw = _raw_bytes(text) if demuxer in _GUESSED else None
    if raw is not None:
        return _decoded(raw)
    return None if _has_surrogates(text) else text


def _raw_bytes(text: str) -> bytes | None:
    """Return the bytes that a text was read from, or None if they cannot be recovered."""
    if _has_surrogates(text):
        return text.encode("utf-8", _UNDECODABLE)
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return None


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)


def _decoded(raw: bytes) -> str | None:
    for encoding, is_meant in (
        ("utf-8", bool),
        ("cp932", _is_japanese),
        ("cp1251", _is_russian),
        ("cp1252", _is_western),
    ):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if is_meant(text):
            return text
    return None


def _is_japanese(text: str) -> bool:
    """Whether every non-ASCII character is kana, kanji or full-width."""
    return all(char.isascii() or _JAPANESE.match(char) for char in text)


def _is_russian(text: str) -> bool:
    """Whether every non-ASCII word is Cyrillic, in lower, upper or title case."""
    words = [word for word in _words(text) if not word.isascii()]
    return any(len(word) > 1 for word in words) and all(
        _CYRILLIC.fullmatch(word) and (word.islower() or word.isupper() or word.istitle())
        for word in words
    )


def _is_western(text: str) -> bool:
    """Whether accented letters appear next to ASCII ones, as in Western languages."""
    words = [word for word in _words(text) if not word.isascii()]
    return all(len(word) <= 2 or any(map(str.isascii, word)) for word in words)


def _words(text: str) -> list[str]:
    """Split text at spaces, punctuation, digits and other symbols."""
    return "".join(char if _is_in_word(char) else " " for char in text).split()


def _is_in_word(char: str) -> bool:
    if char.isascii():
        return char.isalpha()
    return char != "№" and unicodedata.category(char)[0] not in "PZ"
