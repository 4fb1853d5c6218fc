"""Chooses a provider for each job, queues jobs, and tells them what they are waiting for."""
