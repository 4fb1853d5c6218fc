"""The data directory and the jobs' audio files."""
