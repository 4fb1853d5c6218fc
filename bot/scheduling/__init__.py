"""Which provider gets a job, when, and what waiting jobs are told."""
