"""Discord's buttons and menus: rendering them, and dispatching their use."""
