"""Several songs asked for at once: their admission, and the end of all together."""
