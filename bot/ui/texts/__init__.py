"""Every sentence and word that users read, as pure functions. Discord is not needed."""
