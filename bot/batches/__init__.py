"""Batches: several songs from one request, which are admitted one by one and end together."""
