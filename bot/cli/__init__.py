"""The composition root: settings become objects here, and each command of the bot begins here."""
