"""Key, tempo, tuning and beats of a song, measured on its masters."""
