"""Turns a stranger's file into samples, trusting nothing that the file claims about itself."""
