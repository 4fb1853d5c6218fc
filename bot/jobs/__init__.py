"""A job's life: one module per state, and the runner that takes the steps."""
