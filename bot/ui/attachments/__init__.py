"""Attachments of songs: which there are, their addresses, and when those are renewed."""
