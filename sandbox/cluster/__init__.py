"""Everything that a large installation runs, on one machine: database, bots and workers."""
