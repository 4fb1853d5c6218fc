"""The studio: networks that run in an interpreter of their own, described by a catalogue."""
