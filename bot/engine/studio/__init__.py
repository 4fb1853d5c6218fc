"""The studio: networks that run under a separate interpreter, described by a catalogue."""
