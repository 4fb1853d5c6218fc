"""Work on other machines: what runs in a worker, and how a bot recovers lost work."""
