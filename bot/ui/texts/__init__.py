"""The sentences and words that people read. Pure functions; Discord is not needed."""
