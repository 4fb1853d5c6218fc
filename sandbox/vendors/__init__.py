"""Simulations of the three hosted vendors, which really separate songs."""
