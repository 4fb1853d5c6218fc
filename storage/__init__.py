"""Persistent storage: the SQLite database, the ledger and the job files."""
