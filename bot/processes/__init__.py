"""Child processes, for audio and engine alike: how they are started and limited."""
