"""The contents of messages, as pure functions of the domain. Does not use discord.py."""
