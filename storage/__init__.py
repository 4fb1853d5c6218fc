"""Everything Stemcord remembers: the SQLite database, the ledger and the files of jobs."""
