"""Shard groups: several bot processes on one PostgreSQL database, each with its own servers."""
