"""The guarded way out: checked addresses, bounded calls and downloads, and links of our own."""
