"""The SQLite database: connections, transactions and migrations."""
