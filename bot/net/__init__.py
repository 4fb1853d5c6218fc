"""Outgoing HTTP with checked addresses and bounded calls and downloads, and our own signed
links.
"""
