"""Looking after a database: audit, backup copies, deleting personal data."""
