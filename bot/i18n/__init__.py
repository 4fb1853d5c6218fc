"""Translatable messages, their catalogues and the active language."""
