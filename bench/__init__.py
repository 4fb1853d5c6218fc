"""Benchmarks behind the README's figures; run by hand."""
