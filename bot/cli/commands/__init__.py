"""What an operator types: one module a command or a group of them."""
