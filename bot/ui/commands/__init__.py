"""How commands are described to Discord: registration, options, choices, translations."""
