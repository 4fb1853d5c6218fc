"""The command line: one module per command, and the composition of the bot's objects."""
