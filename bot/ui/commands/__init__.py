"""Command descriptions for Discord: registration, options, choices, translations."""
