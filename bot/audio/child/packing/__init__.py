"""Packs for the mixer page, made in an audio child."""
