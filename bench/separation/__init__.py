"""The comparison of separation models, run by `make bench`."""
