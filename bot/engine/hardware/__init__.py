"""What the networks run on: another interpreter, a graphics card, and what to do without."""
