"""Writing messages: the reply writer, its routes and pacing, follow-ups and direct messages."""
