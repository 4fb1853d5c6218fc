"""Audio tasks on workers: how a bot sends them, and how a worker runs them."""
