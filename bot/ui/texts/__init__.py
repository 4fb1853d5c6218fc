"""Every sentence and word that users read, as pure functions. Does not use discord.py."""
