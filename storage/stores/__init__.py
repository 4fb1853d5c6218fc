"""One store a subject, with its SQL and rows."""
