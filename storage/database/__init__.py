"""The database, SQLite or PostgreSQL: connections, transactions and migrations."""
