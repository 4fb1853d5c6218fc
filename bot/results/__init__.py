"""Turns a provider's files into stems: fetches, decodes, identifies and aligns them."""
