"""The command line: one module per command, and the code that builds the bot's objects."""
