"""What an operator types: one module per command or group of commands."""
