"""Maintenance: audit, copies of the database, deletion of personal data."""
