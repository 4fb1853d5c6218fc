"""Languages: translatable texts, catalogues, and whose language is active."""
