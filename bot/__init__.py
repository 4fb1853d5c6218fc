"""Stemcord, a self-hosted Discord bot that splits songs into stems."""
