"""One store per subject, with its SQL and rows."""
