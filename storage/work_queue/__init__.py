"""Separations and audio tasks for other machines, and the workers there. PostgreSQL only."""
