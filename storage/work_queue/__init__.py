"""Separations for other machines, their tasks, and the workers there. PostgreSQL only."""
