"""Code that runs in the audio child processes, one task per process."""
