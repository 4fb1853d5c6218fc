"""The guarded way out over HTTP, and the addresses that lead back in."""
