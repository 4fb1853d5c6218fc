"""What messages show, as pure functions of the domain. Does not use discord.py."""
