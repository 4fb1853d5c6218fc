"""Renders masters in another key, at another speed, or as a mix."""
