"""The guarded way out: checked addresses, bounded calls and downloads, and our own links."""
