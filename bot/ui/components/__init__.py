"""Buttons and menus in Discord's terms: drawing them, and dispatching what is pressed."""
