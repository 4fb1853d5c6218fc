"""Providers whose machines the operator runs: this one, workers, and a studio."""
