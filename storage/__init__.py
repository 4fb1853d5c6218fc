"""Persistent storage: the database, the ledger and the jobs' files."""
