"""Buttons and menus: rendering them, and what they do when pressed."""
