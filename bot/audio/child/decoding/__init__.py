"""Decodes untrusted files into samples without trusting their headers."""
