"""The data directory and the audio files of jobs."""
