"""How each model separates: its transforms, and its network block by block."""
