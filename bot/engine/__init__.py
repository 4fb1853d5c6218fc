"""The embedded separation engine: model files, the separators and the worker they run in."""
