"""Frozen types and pure rules of Stemcord; uses the standard library only."""
