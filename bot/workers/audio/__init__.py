"""Audio tasks on workers: what a bot sends, and what a worker makes of it."""
