"""Maintenance: the audit, database copies and deletion of personal data."""
