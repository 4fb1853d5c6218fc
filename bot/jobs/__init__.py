"""A job's life: one module a state, and the runner that takes the steps."""
