"""All sentences and words that users read, as pure functions. Does not use discord.py."""
