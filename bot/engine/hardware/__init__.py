"""What the networks run on: another interpreter with a graphics card, and fallbacks without one."""
