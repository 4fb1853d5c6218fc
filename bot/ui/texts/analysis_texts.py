"""A song's key, tempo and tuning in words, without uncertain values."""

from collections.abc import Iterator

from bot.domain.analysis import (
    AUDIBLY_OFF_CENTS,
    Analysis,
    Certainty,
    Key,
    KeyEstimate,
    TempoEstimate,
)
from bot.domain.recipes import Stem
from bot.i18n.translation import Message, gettext
from bot.ui.texts.figures import row
from bot.ui.texts.names import stem_name

_MAJOR_KEYS = (
    Message("C major"),
    Message("D♭ major"),
    Message("D major"),
    Message("E♭ major"),
    Message("E major"),
    Message("F major"),
    Message("F♯ major"),
    Message("G major"),
    Message("A♭ major"),
    Message("A major"),
    Message("B♭ major"),
    Message("B major"),
)
_MINOR_KEYS = (
    Message("C minor"),
    Message("C♯ minor"),
    Message("D minor"),
    Message("E♭ minor"),
    Message("E minor"),
    Message("F minor"),
    Message("F♯ minor"),
    Message("G minor"),
    Message("G♯ minor"),
    Message("A minor"),
    Message("B♭ minor"),
    Message("B minor"),
)
_CERTAINTIES = {
    Certainty.LIKELY: Message("{key}, likely"),
    Certainty.PERHAPS: Message("{key}, perhaps"),
}
_ONE_OF_TWO_KEYS = Message("{key} or {relative}")
_TEMPO = Message("{bpm} BPM")
_TEMPO_OR_ITS_OCTAVE = Message("{bpm} BPM (or {octave_bpm})")
_FLAT = Message("{cents} cents flat")
_SHARP = Message("{cents} cents sharp")
_INFO_KEY = Message("Key: {key}")
_INFO_TEMPO = Message("Tempo: {tempo}")
_INFO_TUNING = Message("Tuning: {cents} cents from A = 440 Hz")
_SEPARATOR = " · "


def analysis_line(analysis: Analysis) -> str:
    """Return a card's line, like `A minor, likely · 96 BPM · 40 cents flat`; may be empty."""
    return _SEPARATOR.join(_words(analysis))


def info_lines(analysis: Analysis) -> tuple[str, ...]:
    """Return the values of an analysis, one a line, for a text file beside stems."""
    lines = []
    if analysis.key:
        lines.append(gettext(_INFO_KEY, key=_key_words(analysis.key)))
    if analysis.tempo:
        lines.append(gettext(_INFO_TEMPO, tempo=_tempo_words(analysis.tempo)))
    if analysis.tuning_cents is not None:
        lines.append(gettext(_INFO_TUNING, cents=f"{round(analysis.tuning_cents):+d}"))
    return tuple(lines)


def stem_description(stem: Stem, analysis: Analysis) -> str:
    """Return the description of a stem's file, like `Instrumental, A minor, 96 BPM`."""
    parts = [stem_name(stem)]
    if analysis.key:
        is_likely = analysis.key.certainty is Certainty.LIKELY
        parts.append(key_name(analysis.key.key) if is_likely else _key_words(analysis.key))
    if analysis.tempo:
        parts.append(_tempo_words(analysis.tempo))
    return row(parts)


def key_name(key: Key) -> str:
    """Return a key's name in the active language, like `F♯ minor`."""
    return gettext((_MINOR_KEYS if key.is_minor else _MAJOR_KEYS)[key.tonic])


def key_names(estimate: KeyEstimate, *, semitones: int = 0) -> str:
    """Return the key's name `semitones` higher, or two if its relative is about as probable."""
    name = key_name(estimate.key.shifted(semitones))
    if estimate.relative is None:
        return name
    relative = key_name(estimate.relative.shifted(semitones))
    return gettext(_ONE_OF_TWO_KEYS, key=name, relative=relative)


def _words(analysis: Analysis) -> Iterator[str]:
    if analysis.key:
        yield _key_words(analysis.key)
    if analysis.tempo:
        yield _tempo_words(analysis.tempo)
    cents = analysis.tuning_cents or 0
    if abs(cents) > AUDIBLY_OFF_CENTS:
        yield gettext(_FLAT if cents < 0 else _SHARP, cents=abs(cents))


def _key_words(estimate: KeyEstimate) -> str:
    names = key_names(estimate)
    return names if estimate.relative else gettext(_CERTAINTIES[estimate.certainty], key=names)


def _tempo_words(tempo: TempoEstimate) -> str:
    if tempo.octave_bpm is None:
        return gettext(_TEMPO, bpm=round(tempo.bpm))
    return gettext(_TEMPO_OR_ITS_OCTAVE, bpm=round(tempo.bpm), octave_bpm=round(tempo.octave_bpm))
