"""Writes messages: the reply writer with its routes and pacing, follow-ups, direct messages."""
