"""Benchmarks for the README's figures, run by hand."""
