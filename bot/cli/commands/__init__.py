"""The operator's commands: one module per command or group of commands."""
