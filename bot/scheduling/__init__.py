"""Chooses a provider for each job, queues jobs and estimates their waiting times."""
