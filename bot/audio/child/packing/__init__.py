"""Makes packs for the mixer page in an audio child."""
