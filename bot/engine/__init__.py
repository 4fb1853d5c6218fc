"""The embedded separation engine: model files, separators and the worker process."""
