"""Opens what the settings name, before anything is wired together."""
