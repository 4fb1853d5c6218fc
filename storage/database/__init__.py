"""The SQLite database: connections, whole transactions, migrations."""
