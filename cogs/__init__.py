"""The commands, one module for each family; thin, because services do the work."""

EXTENSIONS = (
    "cogs.split",
    "cogs.songs",
    "cogs.jobs",
    "cogs.quota",
    "cogs.admin",
    "cogs.privacy",
    "cogs.help",
)
