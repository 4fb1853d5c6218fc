"""The engine's worker process: networks, transforms and the separators built on them."""
