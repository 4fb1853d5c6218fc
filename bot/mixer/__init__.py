"""The mixer page: a job's stems heard together in a browser, at a signed address."""
