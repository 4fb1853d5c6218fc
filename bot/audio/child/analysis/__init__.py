"""Measures key, tempo, tuning and beats of a song from its masters."""
