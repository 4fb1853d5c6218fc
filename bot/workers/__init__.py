"""Separation on other machines: what runs in a worker, and the bot's care for lost work."""
