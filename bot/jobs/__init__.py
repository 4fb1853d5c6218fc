"""The states of a job, one module each, and the runner that takes a job through them."""
