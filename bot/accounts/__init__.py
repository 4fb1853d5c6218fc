"""Limits on use: server rules, users' minutes, the owner's spend and disk space."""
