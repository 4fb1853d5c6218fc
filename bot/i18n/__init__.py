"""Translatable messages, their catalogues, and which language is active."""
