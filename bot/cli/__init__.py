"""The composition root: settings become objects here, and each command starts here."""
