"""Providers on the operator's own machines: the local engine, workers and the studio."""
