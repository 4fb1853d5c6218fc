"""Attached songs: finding them in messages, caching them, and renewing their addresses."""
